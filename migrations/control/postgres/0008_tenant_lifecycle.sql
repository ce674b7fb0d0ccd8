-- Imports and deletions of tenants that are under way. A row appears before the first thing is done and goes with the
-- last: what is found here was interrupted, and running the same command again completes it.

CREATE TABLE tenant_operation (
    tenant_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    slug        TEXT COLLATE "C" NOT NULL UNIQUE,
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('import', 'delete')),
    -- Of an import: the hash of the archive's content.
    archive     TEXT COLLATE "C",
    -- Of a deletion: JSON of what there was before anything was removed, for the certificate.
    found       TEXT COLLATE "C",
    started_by  TEXT COLLATE "C" NOT NULL,
    started_at  BIGINT           NOT NULL
);
