-- The entrance: mail, password reset, sign-in history, single sign-on.

-- What became of the mail with the link; NULL is no mail: the link was handed on by hand.
ALTER TABLE invitation ADD COLUMN mail_state TEXT;

-- Links that set a new password. The key is the SHA-256 of the link's secret part.
CREATE TABLE password_reset (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    account_id TEXT   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX password_reset_by_account ON password_reset (account_id);
CREATE INDEX password_reset_by_expiry ON password_reset (expires_at);

-- Whose session it is, so that a person's sessions can be counted; NULL for sessions older than these columns.
ALTER TABLE browser_session ADD COLUMN account_id TEXT;
ALTER TABLE browser_session ADD COLUMN session_epoch BIGINT;
CREATE INDEX browser_session_by_account ON browser_session (account_id);

-- Who came in, or tried to, for the account's owner to read. Attempts at addresses without an account are not kept.
CREATE TABLE sign_in_event (
    id         TEXT   NOT NULL PRIMARY KEY,
    account_id TEXT   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    at         BIGINT NOT NULL,
    address    TEXT   NOT NULL,
    -- What the browser calls itself, shortened.
    agent      TEXT,
    -- password | invitation | first_run | reset | single_sign_on
    how        TEXT   NOT NULL,
    -- succeeded | wrong_password | throttled | single_sign_on_required
    outcome    TEXT   NOT NULL,
    -- Whose identity provider vouched, with single sign-on.
    tenant_id  TEXT   REFERENCES tenant (id) ON DELETE SET NULL
);
CREATE INDEX sign_in_event_by_account ON sign_in_event (account_id, at);
CREATE INDEX sign_in_event_by_time ON sign_in_event (at);

-- A tenant's own identity provider.
CREATE TABLE sign_in_setting (
    tenant_id            TEXT    NOT NULL PRIMARY KEY REFERENCES tenant (id) ON DELETE CASCADE,
    issuer               TEXT    NOT NULL,
    client_id            TEXT    NOT NULL,
    -- Sealed under the master key for this tenant; see tenancy::vault.
    client_secret_sealed BLOB    NOT NULL,
    -- What a person becomes who signs in for the first time.
    default_role         TEXT    NOT NULL CHECK (default_role IN ('admin', 'member', 'viewer')),
    enabled              BOOLEAN NOT NULL,
    -- Whether people of the tenant's domains must come this way.
    required             BOOLEAN NOT NULL,
    updated_at           BIGINT  NOT NULL
);

-- E-mail domains that a tenant says are its own. Only what the operator confirmed counts, and that for one tenant.
CREATE TABLE sign_in_domain (
    tenant_id    TEXT   NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    domain       TEXT   NOT NULL,
    claimed_by   TEXT   NOT NULL,
    claimed_at   BIGINT NOT NULL,
    confirmed_by TEXT,
    confirmed_at BIGINT,
    PRIMARY KEY (tenant_id, domain)
);
CREATE UNIQUE INDEX sign_in_domain_confirmed ON sign_in_domain (domain) WHERE confirmed_at IS NOT NULL;

-- Which account a person of an identity provider is. One person of a provider is one account, and the other way round.
CREATE TABLE external_identity (
    tenant_id    TEXT   NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    issuer       TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    account_id   TEXT   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, issuer, subject),
    UNIQUE (tenant_id, issuer, account_id)
);
CREATE INDEX external_identity_by_account ON external_identity (account_id);
