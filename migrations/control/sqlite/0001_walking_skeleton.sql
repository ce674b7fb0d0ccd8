-- The control plane: what the operator owns across tenants.
-- Times are milliseconds since the Unix epoch, UTC. Money is nano-dollars. Ids are UUIDv7 as text.

CREATE TABLE plan (
    name                TEXT    NOT NULL PRIMARY KEY,
    monthly_fee         BIGINT  NOT NULL,
    included_credit     BIGINT  NOT NULL,
    -- Millionths: 1.4 is 1400000.
    overage_markup      BIGINT  NOT NULL,
    requests_per_minute BIGINT,
    tokens_per_minute   BIGINT,
    max_concurrent      BIGINT,
    created_at          BIGINT  NOT NULL,
    updated_at          BIGINT  NOT NULL
);

CREATE TABLE tenant (
    id             TEXT    NOT NULL PRIMARY KEY,
    slug           TEXT    NOT NULL UNIQUE,
    display_name   TEXT    NOT NULL,
    plan           TEXT    REFERENCES plan (name),
    monthly_budget BIGINT,
    soft_budget    BIGINT,
    region         TEXT,
    zero_retention BOOLEAN NOT NULL DEFAULT FALSE,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL
);

-- A person. `user` is a reserved word in PostgreSQL.
CREATE TABLE account (
    id            TEXT    NOT NULL PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    -- argon2id in PHC format.
    password_hash TEXT,
    operator      BOOLEAN NOT NULL DEFAULT FALSE,
    -- Raised by “sign out everywhere”; a session made under an older one is dead.
    session_epoch BIGINT  NOT NULL DEFAULT 0,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL
);

CREATE TABLE membership (
    tenant_id  TEXT   NOT NULL REFERENCES tenant (id),
    account_id TEXT   NOT NULL REFERENCES account (id),
    role       TEXT   NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account_id)
);
CREATE INDEX membership_by_account ON membership (account_id);

-- Browser sessions. The key is the SHA-256 of the cookie's value: a copy of the table opens nothing.
CREATE TABLE browser_session (
    id_hash    TEXT   NOT NULL PRIMARY KEY,
    data       TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX browser_session_by_expiry ON browser_session (expires_at);

CREATE TABLE one_time_link (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    purpose    TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);

-- Failed sign-ins per account and per address, as a window that forgets.
CREATE TABLE sign_in_throttle (
    subject      TEXT   NOT NULL PRIMARY KEY,
    failures     BIGINT NOT NULL,
    window_start BIGINT NOT NULL
);

CREATE TABLE provider (
    name           TEXT    NOT NULL PRIMARY KEY,
    kind           TEXT    NOT NULL,
    base_url       TEXT,
    -- Sealed under the master key; see tenancy::vault.
    api_key_sealed BLOB,
    region         TEXT,
    zero_retention BOOLEAN NOT NULL DEFAULT FALSE,
    timeout_ms     BIGINT  NOT NULL,
    max_retries    BIGINT  NOT NULL,
    -- What only one kind of provider needs, as JSON (the simulated provider's rate and fault).
    options        TEXT    NOT NULL DEFAULT '{}',
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL
);

-- What clients ask for.
CREATE TABLE model (
    name       TEXT   NOT NULL PRIMARY KEY,
    strategy   TEXT   NOT NULL,
    -- [{"provider": "...", "model": "...", "weight": 1}] in order of preference.
    targets    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Versions are added, never edited: the ledger points at them. Prices are nano-dollars per million tokens.
CREATE TABLE price_version (
    id             INTEGER NOT NULL PRIMARY KEY,
    provider       TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    input          BIGINT  NOT NULL,
    cached_input   BIGINT,
    cache_write    BIGINT,
    output         BIGINT  NOT NULL,
    reasoning      BIGINT,
    -- Millionths of the price.
    batch_discount BIGINT,
    effective_from BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    UNIQUE (provider, model, effective_from)
);

-- One row an attempt: the intent before dispatch, completed once by its settlement.
CREATE TABLE ledger_attempt (
    tenant_id           TEXT    NOT NULL,
    request_id          TEXT    NOT NULL,
    attempt             BIGINT  NOT NULL,
    account_id          TEXT,
    -- What the tokens were for: chat, and later api, evals, jobs.
    feature             TEXT    NOT NULL,
    requested_model     TEXT    NOT NULL,
    provider            TEXT    NOT NULL,
    provider_model      TEXT    NOT NULL,
    prompt_name         TEXT,
    prompt_version      BIGINT,
    -- dispatched | succeeded | failed | stopped | cut | interrupted
    status              TEXT    NOT NULL,
    error_code          TEXT,
    input_tokens        BIGINT,
    cached_input_tokens BIGINT,
    output_tokens       BIGINT,
    -- NULL is unknown, never zero.
    cost                BIGINT,
    price_version       BIGINT  REFERENCES price_version (id),
    measured            BOOLEAN NOT NULL DEFAULT FALSE,
    -- Made by a demo's seed, not by traffic.
    seeded              BOOLEAN NOT NULL DEFAULT FALSE,
    dispatched_at       BIGINT  NOT NULL,
    settled_at          BIGINT,
    first_token_ms      BIGINT,
    total_ms            BIGINT,
    PRIMARY KEY (tenant_id, request_id, attempt)
);
CREATE INDEX ledger_by_tenant_and_time ON ledger_attempt (tenant_id, dispatched_at);
-- What a crash left open, found at start without reading the whole ledger.
CREATE INDEX ledger_unsettled ON ledger_attempt (dispatched_at) WHERE settled_at IS NULL;

-- The registry: immutable versions, and labels that point at them.
CREATE TABLE prompt_version (
    name         TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    system_text  TEXT   NOT NULL,
    model        TEXT   NOT NULL,
    -- JSON, see gateway's chat parameters.
    parameters   TEXT   NOT NULL,
    content_hash TEXT   NOT NULL,
    message      TEXT   NOT NULL,
    author       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE prompt_label (
    name     TEXT   NOT NULL,
    label    TEXT   NOT NULL,
    version  BIGINT NOT NULL,
    moved_at BIGINT NOT NULL,
    moved_by TEXT   NOT NULL,
    PRIMARY KEY (name, label),
    FOREIGN KEY (name, version) REFERENCES prompt_version (name, version)
);
