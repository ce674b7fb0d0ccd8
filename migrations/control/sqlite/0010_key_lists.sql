-- Lists of keys: each order is a walk along an index that also has what keys are searched and told apart by, so that no
-- row is read that is not shown. Never used counts as the beginning of time, no expiry as its end.

DROP INDEX api_key_by_tenant;
CREATE INDEX api_key_by_creation ON api_key (tenant_id, created_at, id, name, prefix, revoked_at, expires_at);
CREATE INDEX api_key_by_name ON api_key (tenant_id, LOWER(name), id, name, prefix, revoked_at, expires_at);
CREATE INDEX api_key_by_use
    ON api_key (tenant_id, COALESCE(last_used_at, 0), id, name, prefix, revoked_at, expires_at);
CREATE INDEX api_key_by_expiry
    ON api_key (tenant_id, COALESCE(expires_at, 9223372036854775807), id, name, prefix, revoked_at, expires_at);
