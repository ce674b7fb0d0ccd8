// The official OpenAI package for JavaScript against a Seam that runs: SEAM_URL and SEAM_KEY say where, and with which key.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const { SEAM_URL, SEAM_KEY } = process.env;
const client = new OpenAI({ baseURL: `${SEAM_URL}/v1`, apiKey: SEAM_KEY, maxRetries: 0 });
const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello' },
];
const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];

async function models() {
  const names = (await client.models.list()).data.map((model) => model.id);
  assert(names.includes('sim') && names.includes('chained'), names.join());
  await assert.rejects(client.models.retrieve('gone'), { status: 404, code: 'model_not_found' });
}

async function chats(model) {
  const { data, response } = await client.chat.completions.create({ model, messages, seed: 7 }).withResponse();
  assert.match(response.headers.get('x-seam-route'), /\/sim$/);
  assert.equal(response.headers.get('x-seam-cache'), 'bypass');
  const whole = data.choices[0].message.content;
  assert(whole.length > 20 && data.usage.completion_tokens === 12, JSON.stringify(data));
  const options = { model, messages, seed: 7, stream: true, stream_options: { include_usage: true } };
  const chunks = [];
  for await (const chunk of await client.chat.completions.create(options)) chunks.push(chunk);
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), whole);
  assert.equal(chunks.at(-1).usage.completion_tokens, 12);
  const runner = client.chat.completions.stream({ model, messages, seed: 7 });
  assert.equal(await runner.finalContent(), whole);
}

async function responses(model) {
  const asked = { model, instructions: 'Be brief.', input: 'Hello', store: false };
  const whole = await client.responses.create(asked);
  assert.equal(whole.status, 'completed');
  let said = '';
  let last;
  for await (const event of await client.responses.create({ ...asked, stream: true })) {
    if (event.type === 'response.output_text.delta') said += event.delta;
    last = event;
  }
  assert.deepEqual([said, last.type], [whole.output_text, 'response.completed']);
}

async function followedOn() {
  const first = await client.responses.create({ model: 'sim', input: 'one two three' });
  const second = await client.responses.create({ model: 'sim', input: 'four', previous_response_id: first.id });
  assert.equal(second.usage.input_tokens, 16);
  await client.responses.delete(first.id);
  const again = client.responses.create({ model: 'sim', input: 'five', previous_response_id: second.id });
  await assert.rejects(again, { status: 400, code: 'previous_response_not_found' });
}

async function vectors() {
  const { data } = await client.embeddings.create({ model: 'sim', input: ['one', 'two'], dimensions: 384 });
  assert.deepEqual(data.map(({ index, embedding }) => [index, embedding.length]), [[0, 384], [1, 384]]);
}

async function refusals() {
  const wrong = new OpenAI({ baseURL: `${SEAM_URL}/v1`, apiKey: `sk-seam-${'x'.repeat(43)}`, maxRetries: 0 });
  await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
  const ask = (more) => client.chat.completions.create({ model: 'sim', messages, ...more });
  await assert.rejects(ask({ model: 'gone' }), { status: 404, code: 'model_not_found', param: 'model' });
  await assert.rejects(ask({ tools }), { status: 400, code: 'unsupported_parameter', param: 'tools' });
}

async function cuts(model) {
  let said = '';
  const read = async () => {
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of stream) said += chunk.choices[0]?.delta.content ?? '';
  };
  await assert.rejects(read, OpenAI.APIError);
  assert(said, 'something had been said before');
  await assert.rejects(client.chat.completions.create({ model, messages }), OpenAI.InternalServerError);
}

async function leavingEarly() {
  const stream = await client.chat.completions.create({ model: 'sim', messages, stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
}

await models();
for (const model of ['sim', 'chained']) {
  await chats(model);
  await responses(model);
}
await followedOn();
await vectors();
await refusals();
await cuts('flaky');
await cuts('chained-flaky');
await leavingEarly();
console.log('all of it holds');
