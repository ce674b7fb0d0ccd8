-- A provider can be switched off at once, and a model says how long its first words may take, whoever is asked.

ALTER TABLE provider ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE model ADD COLUMN deadline_ms BIGINT;
