-- Answers that may be given again, found by the hash of all that decides them; and for questions that are alike, by the
-- hash of all but what was said last, with that as a vector.

CREATE TABLE answer_cache (
    tenant_id  TEXT   NOT NULL,
    question   TEXT   NOT NULL,
    family     TEXT,
    said_last  TEXT,
    -- Numbers of 32 bits, the lowest byte first.
    vector     BLOB,
    -- JSON: its parts and what it came to.
    answer     TEXT   NOT NULL,
    bytes      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, question)
);
CREATE INDEX answer_cache_by_family ON answer_cache (tenant_id, family, created_at);
CREATE INDEX answer_cache_by_age ON answer_cache (tenant_id, created_at, question, bytes);
