-- Tokens that providers bill apart: those that they take into their caches, and those that a model thinks with. NULL is
-- unknown, never zero.
ALTER TABLE ledger_attempt ADD COLUMN cache_write_tokens BIGINT;
-- Those of cache_write_tokens that are kept for an hour.
ALTER TABLE ledger_attempt ADD COLUMN cache_write_1h_tokens BIGINT;
-- Those of output_tokens.
ALTER TABLE ledger_attempt ADD COLUMN reasoning_tokens BIGINT;
ALTER TABLE price_version ADD COLUMN cache_write_1h BIGINT;
