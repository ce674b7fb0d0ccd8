-- What a new installation can answer with: the model in this process, its price, and the chat's prompt.
-- All of it can be changed by `seam apply`; the versions of price and prompt by adding newer ones.

-- Nothing that is asked leaves this process, and nothing is kept.
INSERT INTO provider (name, kind, zero_retention, timeout_ms, max_retries, created_at, updated_at)
VALUES ('local', 'local', TRUE, 120000, 0, 0, 0);

INSERT INTO model (name, strategy, targets, created_at, updated_at)
VALUES ('assistant', 'fallback', '[{"provider":"local","model":"smollm2-135m-instruct","weight":1}]', 0, 0);

-- Electricity is not free: about 50 W for two busy cores at $0.30 a kWh, at 100 tokens a second produced and
-- 240 a second read, rounded up. Nano-dollars per million tokens; from the beginning of time.
INSERT INTO price_version (provider, model, input, cached_input, output, effective_from, created_at)
VALUES
    ('local', 'smollm2-135m-instruct', 20000000, 1000000, 50000000, 0, 0),
    ('local', 'all-minilm-l6-v2', 2000000, NULL, 0, 0, 0);

-- The hash is SHA-256 over the canonical JSON of name, system_text, model and parameters (registry::content_hash).
INSERT INTO prompt_version (
    name, version, system_text, model, parameters, content_hash, message, author, created_at
) VALUES (
    'chat',
    1,
    'You are a helpful assistant. Answer the question that was asked, briefly and in plain words. If you do not know something, say so; do not guess. Use Markdown for lists and put code in fenced code blocks.',
    'assistant',
    '{"max_output_tokens":512,"temperature":0.2,"top_p":0.9}',
    'e38a374ee38e243f5adf42be9a46d335e5486305772efaafee5051c2942edfd6',
    'The prompt that Seam comes with',
    'seam',
    0
);

INSERT INTO prompt_label (name, label, version, moved_at, moved_by) VALUES ('chat', 'production', 1, 0, 'seam');
