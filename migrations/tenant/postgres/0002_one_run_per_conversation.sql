-- Two sends at once, from two tabs or two nodes: one of them starts a run, the other is told to wait.
CREATE UNIQUE INDEX run_one_per_conversation ON run (tenant_id, conversation_id) WHERE status = 'running';
