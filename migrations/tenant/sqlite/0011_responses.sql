-- Responses of programs, kept so that another request can follow on one. JSON: the items of the request, and the response
-- as it was told.

CREATE TABLE response (
    tenant_id   TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    previous_id TEXT,
    input       TEXT   NOT NULL,
    response    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX response_by_age ON response (tenant_id, created_at);
