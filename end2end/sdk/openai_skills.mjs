// What the official OpenAI package for JavaScript can ask for, at providers that can do it: one that speaks its dialect, and
// two that do not. SEAM_URL and SEAM_KEY say where Seam is, and with which key it is asked.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const { SEAM_URL, SEAM_KEY } = process.env;
const client = new OpenAI({ baseURL: `${SEAM_URL}/v1`, apiKey: SEAM_KEY, maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is the weather?' }];
const parameters = { type: 'object', properties: { at: { type: 'string' } }, required: ['at'], additionalProperties: false };
const weather = { name: 'weather', description: 'Tells the weather', parameters, strict: true };
const tools = [{ type: 'function', function: weather }];
const picture = 'data:image/png;base64,iVBORw0KGgo=';
const city = { name: 'city', strict: true, schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false } };

async function chat(streamed, asked) {
  if (!streamed) return client.chat.completions.create({ messages, ...asked });
  return client.chat.completions.stream({ messages, ...asked }).finalChatCompletion();
}

const called = (message) => message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments).at]);

async function tooled(model, streamed) {
  const { choices } = await chat(streamed, { model, tools });
  const { message, finish_reason } = choices[0];
  assert.deepEqual([called(message), finish_reason], [[['weather', 'Ghent'], ['weather', 'Paris']], 'tool_calls']);
  const results = message.tool_calls.map(({ id }, at) => ({ role: 'tool', tool_call_id: id, content: ['dry', 'wet'][at] }));
  const told = await chat(streamed, { model, tools, messages: [...messages, message, ...results] });
  assert.equal(told.choices[0].message.content, 'It is dry and wet.');
  const alone = await chat(streamed, { model, tools, parallel_tool_calls: false });
  assert.equal(called(alone.choices[0].message).length, 1);
}

async function formed(model, streamed) {
  const seen = await chat(streamed, { model, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: picture } }] }] });
  assert.equal(seen.choices[0].message.content, '1 of them.');
  const fits = await chat(streamed, { model, response_format: { type: 'json_schema', json_schema: city } });
  assert.deepEqual(JSON.parse(fits.choices[0].message.content), { city: 'Paris' });
  const stopped = await chat(streamed, { model, stop: ['three'], seed: 7 });
  assert.equal(stopped.choices[0].message.content, 'Until three.');
}

async function severalWithLogprobs() {
  const { choices } = await client.chat.completions.create({ model: 'gpt', messages, n: 2, logprobs: true });
  assert.deepEqual(choices.map(({ index, logprobs }) => [index, logprobs.content[0].token]), [[0, 'Hello'], [1, 'Hello']]);
  const said = ['', ''];
  for await (const chunk of await client.chat.completions.create({ model: 'gpt', messages, n: 2, logprobs: true, stream: true })) {
    for (const { index, delta } of chunk.choices) said[index] += delta.content ?? '';
  }
  assert.deepEqual(said, ['Hello there.', 'Hello there.']);
  await assert.rejects(client.chat.completions.create({ model: 'claude', messages, n: 2 }), { status: 400, param: 'n' });
}

async function responded(model, streamed) {
  const ask = async (asked) => {
    if (!streamed) return client.responses.create({ model, ...asked });
    return client.responses.stream({ model, ...asked }).finalResponse();
  };
  const functions = [{ type: 'function', ...weather }];
  const first = await ask({ input: 'What is the weather?', tools: functions });
  const calls = first.output.filter(({ type }) => type === 'function_call');
  assert.deepEqual(calls.map((call) => JSON.parse(call.arguments).at), ['Ghent', 'Paris']);
  const results = calls.map(({ call_id }, at) => ({ type: 'function_call_output', call_id, output: ['dry', 'wet'][at] }));
  const second = await ask({ input: results, tools: functions, previous_response_id: first.id });
  assert.equal(second.output_text, 'It is dry and wet.');
  assert.equal((await client.responses.retrieve(second.id)).output_text, second.output_text);
  assert.equal((await client.responses.inputItems.list(second.id)).data.length, 2);
  const seen = await ask({ input: [{ role: 'user', content: [{ type: 'input_image', image_url: picture, detail: 'auto' }] }] });
  assert.equal(seen.output_text, '1 of them.');
  const fits = await ask({ input: 'Which city?', text: { format: { type: 'json_schema', ...city } } });
  assert.deepEqual(JSON.parse(fits.output_text), { city: 'Paris' });
}

for (const model of ['gpt', 'claude', 'gemini']) {
  for (const streamed of [false, true]) {
    await tooled(model, streamed);
    await formed(model, streamed);
    await responded(model, streamed);
  }
}
await severalWithLogprobs();
console.log('all of it holds');
