-- How long a provider may take for an answer that it sends at once and whole.
ALTER TABLE provider ADD COLUMN whole_timeout_ms BIGINT NOT NULL DEFAULT 600000;
