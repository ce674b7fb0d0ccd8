-- What is done for a model's speed and price; answers that were given again, and those that a tenant's own key paid for;
-- the keys under which tenants' secrets are sealed.

ALTER TABLE model ADD COLUMN hedge_percentile BIGINT;
ALTER TABLE model ADD COLUMN on_disconnect TEXT NOT NULL DEFAULT 'abort';
-- JSON: for how long answers may be given again, and how alike the questions must be.
ALTER TABLE model ADD COLUMN cache TEXT;

-- hit | semantic: an answer that was there already. NULL: a provider was asked.
ALTER TABLE ledger_attempt ADD COLUMN cache TEXT;
-- What it cost when it was made; NULL is unknown.
ALTER TABLE ledger_attempt ADD COLUMN saved BIGINT;
-- The tenant pays its provider itself: it costs the platform nothing.
ALTER TABLE ledger_attempt ADD COLUMN own_key BOOLEAN NOT NULL DEFAULT FALSE;

-- Whether tenants may use keys of their own here. NULL: as it is usual for its kind.
ALTER TABLE provider ADD COLUMN own_keys BOOLEAN;

CREATE TABLE tenant_data_key (
    tenant_id  TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    -- Under the master key.
    sealed     BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

-- A tenant's own keys at providers, sealed under its data key.
CREATE TABLE tenant_provider_key (
    tenant_id        TEXT NOT NULL,
    provider         TEXT NOT NULL,
    data_key_version BIGINT NOT NULL,
    sealed           BLOB NOT NULL,
    -- Its last characters, by which its owner knows it again.
    hint             TEXT NOT NULL,
    updated_at       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, provider)
);
