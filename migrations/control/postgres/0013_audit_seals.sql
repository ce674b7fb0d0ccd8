-- One chain over all audit logs, an entry at a time: what is cut off at the end of a log is noticed by it. Entries of a
-- deleted tenant go; their seals stay, which are hashes under its id.
CREATE TABLE audit_seal (
    -- From 1, without gaps.
    number     BIGINT           NOT NULL PRIMARY KEY,
    -- Of the entry that is sealed, and with it all before it in its chain.
    chain      TEXT COLLATE "C" NOT NULL,
    seq        BIGINT           NOT NULL,
    entry_hash TEXT COLLATE "C" NOT NULL,
    -- Covers the row and the hash before it.
    hash       TEXT COLLATE "C" NOT NULL
);
