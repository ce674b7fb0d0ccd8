-- An operator's time inside a tenant: why, in which role, until when. The tenant reads these rows.

CREATE TABLE impersonation (
    tenant_id  TEXT NOT NULL REFERENCES tenant (id),
    id         TEXT NOT NULL,
    -- The operator.
    account_id TEXT NOT NULL REFERENCES account (id),
    role       TEXT NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
    reason     TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Set when it is over before it expires; by whom stands in the audit log.
    ended_at   BIGINT,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX impersonation_by_time ON impersonation (tenant_id, started_at);

-- For whom the actor acted, where that is not the actor: the tenant that an operator impersonates.
ALTER TABLE audit_entry ADD COLUMN on_behalf_of TEXT;

-- The lists of the consoles are read in these orders.
CREATE INDEX tenant_by_creation ON tenant (created_at, slug);
CREATE INDEX account_by_creation ON account (created_at, email);
CREATE INDEX membership_by_creation ON membership (tenant_id, created_at, account_id);
