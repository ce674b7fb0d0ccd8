-- Many nodes on one database: who serves, which runs and attempts are whose, and under which master key all of them seal.

-- A process that serves. Whoever is not in here any more does nothing any more: what is its own is ended by the others.
CREATE TABLE node (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- For people: the machine's name and the address that is listened on.
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    -- Counts up while the node lives. The others watch it move; no clock is compared with another.
    beat       BIGINT NOT NULL,
    -- By the node's own clock, for people.
    seen_at    BIGINT NOT NULL
);

-- Tenants in which a node may be driving runs: written before the first of them begins, removed some time after the
-- last has ended. A row too many is harmless, a row too few would leave a run running for ever.
CREATE TABLE run_place (
    node_id   TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    -- Tells one announcement from the next: removing the old one leaves the new one alone.
    mark      BIGINT NOT NULL,
    PRIMARY KEY (node_id, tenant_id, mark)
);

-- Runs that somebody asked to stop through another node than the one that drives them.
CREATE TABLE run_stop (
    node_id      TEXT COLLATE "C" NOT NULL,
    tenant_id    TEXT COLLATE "C" NOT NULL,
    run_id       TEXT COLLATE "C" NOT NULL,
    requested_at BIGINT NOT NULL,
    PRIMARY KEY (node_id, tenant_id, run_id)
);

-- Who dispatched it, and settles it while it lives.
ALTER TABLE ledger_attempt ADD COLUMN node_id TEXT COLLATE "C";

-- One row: something known, sealed under the master key. Whoever cannot open it has another key.
CREATE TABLE master_key_check (
    id     BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    sealed BYTEA  NOT NULL
);
