-- The tenant plane: what belongs to one tenant. Every key is led by the tenant, also where a tenant has
-- a file of its own: the same schema serves an engine where tenants share tables.

CREATE TABLE conversation (
    tenant_id  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    account_id TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    model      TEXT,
    pinned     BOOLEAN NOT NULL DEFAULT FALSE,
    -- The last message of the branch that is shown.
    head_id    TEXT,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX conversation_by_account ON conversation (tenant_id, account_id, updated_at);

-- A tree: answers to the same message are siblings, and so are two wordings of one question.
CREATE TABLE message (
    tenant_id       TEXT   NOT NULL,
    id              TEXT   NOT NULL,
    conversation_id TEXT   NOT NULL,
    parent_id       TEXT,
    role            TEXT   NOT NULL CHECK (role IN ('user', 'assistant')),
    -- streaming | complete | stopped | failed
    status          TEXT   NOT NULL,
    -- Of an answer in progress: empty here, its text is in the run's events.
    content         TEXT   NOT NULL,
    run_id          TEXT,
    -- JSON of contract::AnswerDetails and contract::Problem.
    details         TEXT,
    problem         TEXT,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);
CREATE INDEX message_by_parent ON message (tenant_id, conversation_id, parent_id, id);

CREATE TABLE run (
    tenant_id       TEXT   NOT NULL,
    id              TEXT   NOT NULL,
    conversation_id TEXT   NOT NULL,
    message_id      TEXT   NOT NULL,
    request_id      TEXT   NOT NULL,
    account_id      TEXT   NOT NULL,
    -- running | finished | stopped | failed
    status          TEXT   NOT NULL,
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX run_running ON run (tenant_id, started_at) WHERE status = 'running';

-- Numbered from 1 without gaps; the last one is terminal. JSON of contract::RunEvent.
CREATE TABLE run_event (
    tenant_id  TEXT   NOT NULL,
    run_id     TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, seq)
);
