-- The node that drives the run. None: it began before there was more than one.
ALTER TABLE run ADD COLUMN node_id TEXT;
