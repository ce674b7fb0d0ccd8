-- The tenant plane: what belongs to one tenant. Tenants share these tables, and each sees its own rows alone: row
-- level security is forced, so that it binds the tables' owner too. Opening the store refuses a table without it.
-- Every key is led by the tenant. Text is compared byte by byte (COLLATE "C"), as SQLite does.

CREATE TABLE conversation (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    title      TEXT COLLATE "C" NOT NULL,
    model      TEXT COLLATE "C",
    pinned     BOOLEAN          NOT NULL DEFAULT FALSE,
    -- The last message of the branch that is shown.
    head_id    TEXT COLLATE "C",
    created_at BIGINT           NOT NULL,
    updated_at BIGINT           NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX conversation_by_account ON conversation (tenant_id, account_id, updated_at);

-- A tree: answers to the same message are siblings, and so are two wordings of one question.
CREATE TABLE message (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    conversation_id TEXT COLLATE "C" NOT NULL,
    parent_id       TEXT COLLATE "C",
    role            TEXT COLLATE "C" NOT NULL CHECK (role IN ('user', 'assistant')),
    -- streaming | complete | stopped | failed
    status          TEXT COLLATE "C" NOT NULL,
    -- Of an answer in progress: empty here, its text is in the run's events.
    content         TEXT COLLATE "C" NOT NULL,
    run_id          TEXT COLLATE "C",
    -- JSON of contract::AnswerDetails and contract::Problem.
    details         TEXT COLLATE "C",
    problem         TEXT COLLATE "C",
    created_at      BIGINT           NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);
CREATE INDEX message_by_parent ON message (tenant_id, conversation_id, parent_id, id);

CREATE TABLE run (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    conversation_id TEXT COLLATE "C" NOT NULL,
    message_id      TEXT COLLATE "C" NOT NULL,
    request_id      TEXT COLLATE "C" NOT NULL,
    account_id      TEXT COLLATE "C" NOT NULL,
    -- running | finished | stopped | failed
    status          TEXT COLLATE "C" NOT NULL,
    started_at      BIGINT           NOT NULL,
    ended_at        BIGINT,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX run_running ON run (tenant_id, started_at) WHERE status = 'running';

-- Numbered from 1 without gaps; the last one is terminal. JSON of contract::RunEvent.
CREATE TABLE run_event (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    run_id     TEXT COLLATE "C" NOT NULL,
    seq        BIGINT           NOT NULL,
    event      TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    PRIMARY KEY (tenant_id, run_id, seq)
);

-- The tenant is set for the length of a transaction (store::postgres). Without it nothing is seen and nothing written:
-- what a setting leaves behind when its transaction ends is the empty string, hence NULLIF.

ALTER TABLE conversation ENABLE ROW LEVEL SECURITY;
ALTER TABLE conversation FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON conversation
    USING (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''));

ALTER TABLE message ENABLE ROW LEVEL SECURITY;
ALTER TABLE message FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON message
    USING (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''));

ALTER TABLE run ENABLE ROW LEVEL SECURITY;
ALTER TABLE run FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON run
    USING (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''));

ALTER TABLE run_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE run_event FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON run_event
    USING (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''));
