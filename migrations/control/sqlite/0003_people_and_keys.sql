-- Invitations, API keys, suspension, and the log of who changed what.

ALTER TABLE tenant ADD COLUMN suspended_at BIGINT;
-- For the tenant's people to read.
ALTER TABLE tenant ADD COLUMN suspended_for TEXT;

CREATE TABLE invitation (
    tenant_id  TEXT   NOT NULL REFERENCES tenant (id),
    id         TEXT   NOT NULL,
    -- SHA-256 of the link's secret part: a copy of the table opens nothing.
    token_hash TEXT   NOT NULL UNIQUE,
    email      TEXT   NOT NULL,
    role       TEXT   NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
    invited_by TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- A new invitation of the same person takes the place of the old one.
CREATE UNIQUE INDEX invitation_by_email ON invitation (tenant_id, email);

CREATE TABLE api_key (
    -- The tenant's; NULL is the operator's own.
    tenant_id    TEXT   REFERENCES tenant (id),
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    -- SHA-256 of the secret, which has full entropy.
    secret_hash  TEXT   NOT NULL UNIQUE,
    -- The beginning of the secret, to recognise it by.
    prefix       TEXT   NOT NULL,
    -- Names separated by blanks: inference manage.
    scopes       TEXT   NOT NULL,
    -- JSON list of the models it may ask for; NULL is all.
    models       TEXT,
    expires_at   BIGINT,
    created_by   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_key_by_tenant ON api_key (tenant_id, created_at);

-- Who changed what. A chain for each tenant, and one for the platform under the empty name: whose chain it is may
-- read and verify it alone. Each row's hash covers the row and the hash before it.
CREATE TABLE audit_entry (
    chain     TEXT   NOT NULL,
    -- From 1, without gaps.
    seq       BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    -- user:<id>, key:<id>, command-line, upkeep; and what that was called then.
    actor     TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    address   TEXT,
    action    TEXT   NOT NULL,
    target    TEXT   NOT NULL,
    -- JSON: {"before": …, "after": …}. Never secrets.
    change    TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    PRIMARY KEY (chain, seq)
);
