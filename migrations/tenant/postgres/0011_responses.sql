-- Responses of programs, kept so that another request can follow on one. JSON: the items of the request, and the response
-- as it was told.

CREATE TABLE response (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    previous_id TEXT COLLATE "C",
    input       TEXT COLLATE "C" NOT NULL,
    response    TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT           NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX response_by_age ON response (tenant_id, created_at);

ALTER TABLE response ENABLE ROW LEVEL SECURITY;
ALTER TABLE response FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON response
    USING (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('seam.tenant_id', TRUE), ''));
