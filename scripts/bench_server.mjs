// What a user of the web server feels, measured from outside on the real binary: start, memory, first token through the
// interface's own path, and whether the server answers while two models talk. docs/performance.md says how to read it.
// Usage: node scripts/bench_server.mjs   (scripts/bench.sh calls it)
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINARY = 'target/dist/seam';
const MODELS = join(process.env.SEAM_CACHE_DIR, 'models');
const ROUNDS = Number(process.env.SEAM_BENCH_ROUNDS ?? 15);
const WHO = { email: 'bench@acme.test', password: 'a password for benchmarks' };
const RESOURCES = `
[[tenant]]
name = "acme"
[[user]]
tenant = "acme"
email = "${WHO.email}"
role = "member"
password_env = "BENCH_PASSWORD"
[[provider]]
name = "sim"
kind = "simulated"
options = { tokens = 50, tokens_per_second = 0.0 }
[[model]]
name = "sim"
targets = [{ provider = "sim", model = "sim" }]
[[price]]
provider = "sim"
model = "sim"
input = "1"
output = "1"
effective_from = "2026-01-01T00:00:00Z"
`;

const directory = mkdtempSync(join(tmpdir(), 'seam-bench-'));
const data = join(directory, 'data');
mkdirSync(data);
symlinkSync(MODELS, join(data, 'models'));
const rows = [];
const row = (what, value, note = '') => rows.push([what, value, note]);
const now = () => performance.now();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const kb = (bytes) => `${(bytes / 1e3).toFixed(1)} kB`;
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

let server, url, cookie;
const environment = (more) => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^SEAM_|_API_KEY$|^OLLAMA_|^OTEL_/.test(name))),
  SEAM_DATA_DIR: data,
  SEAM_LOG: 'warn',
  ...more,
});

async function start() {
  const file = join(directory, 'resources.toml');
  writeFileSync(file, RESOURCES);
  const applied = spawnSync(BINARY, ['apply', '-f', file], { env: environment({ BENCH_PASSWORD: WHO.password }), encoding: 'utf8' });
  if (applied.status !== 0) throw new Error(applied.stderr);
  const port = await new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
  url = `http://127.0.0.1:${port}`;
  const began = now();
  server = spawn(BINARY, ['serve'], { env: environment({ SEAM_LISTEN: `127.0.0.1:${port}` }), stdio: ['ignore', 'ignore', 'inherit'] });
  for (;;) {
    if (server.exitCode !== null) throw new Error('the server ended');
    if ((await fetch(`${url}/readyz`).catch(() => ({ ok: false }))).ok) break;
    await sleep(5);
  }
  row('start until ready', ms(now() - began));
}

async function post(path, body, type) {
  const headers = { 'content-type': type, origin: url, accept: 'application/json' };
  if (cookie) headers.cookie = cookie;
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body, redirect: 'manual' });
  const set = response.headers.getSetCookie().find((one) => one.startsWith('seam'));
  if (set) cookie = set.split(';')[0];
  return response;
}

/** Sends a message as the page does and follows the run as the page does. Gives times in ms since the send. */
async function ask(text, model) {
  const began = now();
  const response = await post('/api/ui/message-send', JSON.stringify({ message: { conversation: null, text, model } }), 'application/json');
  if (!response.ok) throw new Error(`message-send: ${response.status} ${await response.text()}`);
  const { run } = await response.json();
  const accepted = now() - began;
  const events = await fetch(`${url}/api/v1/runs/${run}/events?after=0&render=html`, { headers: { cookie, accept: 'text/event-stream' } });
  if (!events.ok) throw new Error(`events: ${events.status}`);
  let buffered = '', first;
  for await (const chunk of events.body.pipeThrough(new TextDecoderStream())) {
    buffered += chunk;
    for (let end; (end = buffered.indexOf('\n\n')) >= 0; buffered = buffered.slice(end + 2)) {
      const data = buffered.slice(0, end).split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n');
      if (!data) continue;
      const { event } = JSON.parse(data);
      if (!event) continue; // the words so far, rendered
      if (event.type === 'delta') first ??= now() - began;
      if (event.type === 'failed') throw new Error(JSON.stringify(event.problem));
      if (event.details) return { accepted, first, whole: now() - began, details: event.details };
    }
  }
  throw new Error('the stream ended without its last event');
}

const resident = () => Number(readFileSync(`/proc/${server.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) * 1024;

async function loaded() { // the local model is ready when it answers
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask('Hello', 'assistant');
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(200);
    }
  }
}

async function firstToken(model, name, text) {
  const through = [], inside = [];
  for (let round = 0; round < ROUNDS; round++) {
    const answer = await ask(text(round), model);
    through.push(answer.first);
    inside.push(answer.details.first_token_ms);
  }
  row(`first token, ${name}, through the interface`, ms(quantile(through, 0.5)), `p95 ${ms(quantile(through, 0.95))}, ${ROUNDS} runs`);
  row(`first token, ${name}, at the provider`, ms(quantile(inside, 0.5)), 'as metered on the same runs');
  row(`  difference`, ms(quantile(through.map((value, at) => value - inside[at]), 0.5)), 'sending, storing, SSE');
}

async function underLoad() {
  const times = [];
  let talking = true, peak = 0;
  const story = 'Write a long story about a lighthouse keeper, a storm and a lost dog. Tell every detail.';
  const generations = Promise.all([ask(`${story} One.`, 'assistant'), ask(`${story} Two.`, 'assistant')]).finally(() => (talking = false));
  while (talking) {
    const began = now();
    await (await fetch(`${url}/healthz`)).text();
    times.push(now() - began);
    peak = Math.max(peak, resident());
    await sleep(5);
  }
  const answers = await generations;
  const tokens = answers.reduce((sum, answer) => sum + answer.details.usage.output, 0);
  const seconds = Math.max(...answers.map((answer) => answer.whole)) / 1000;
  row('/healthz while two generations run, p99', ms(quantile(times, 0.99)), `p50 ${ms(quantile(times, 0.5))}, max ${ms(Math.max(...times))}, ${times.length} requests`);
  row('two generations together', `${(tokens / seconds).toFixed(1)} tokens/s`, `${tokens} tokens`);
  row('resident memory during two generations', mb(peak));
  return quantile(times, 0.99);
}

function sizes() {
  const size = (path) => statSync(path).size;
  row('binary', mb(size(BINARY)), 'with web assets, migrations and llama.cpp');
  let total = 0;
  const walk = (path) =>
    readdirSync(path, { withFileTypes: true }).forEach((entry) => {
      const full = join(path, entry.name);
      if (entry.isDirectory()) return walk(full);
      if (/\.br$|\.txt$|manifest\.json$/.test(entry.name)) return;
      const sent = statSync(`${full}.br`, { throwIfNoEntry: false })?.size ?? size(full);
      const kind = entry.name.replace(/\.[0-9a-f]{16}\./, '.');
      if (/mono/.test(kind)) return row(`over the wire: ${kind}`, kb(sent), 'only where code is shown');
      total += sent;
      row(`over the wire: ${kind}`, kb(sent));
    });
  walk('target/site');
  row('chat page over the wire, without HTML', kb(total), 'goal: under 350 kB');
}

try {
  await start();
  await sleep(500);
  const signedIn = await post('/api/ui/sign-in', new URLSearchParams({ ...WHO, next: '' }).toString(), 'application/x-www-form-urlencoded');
  if (!cookie) throw new Error(`sign-in: ${signedIn.status} ${await signedIn.text()}`);
  await loaded();
  row('resident memory idle', mb(resident()), 'both local models loaded');
  await firstToken('sim', 'simulated', (round) => `Hello ${round}`);
  await firstToken('assistant', 'local model', (round) => `Name a city, number ${round}.`);
  const p99 = await underLoad();
  sizes();
  const width = Math.max(...rows.map(([what]) => what.length));
  for (const [what, value, note] of rows) console.log(`${what.padEnd(width)}  ${value.padStart(16)}  ${note}`);
  if (p99 > 50) {
    console.error('✗ /healthz took more than 50 ms at p99 while two generations ran');
    process.exitCode = 1;
  }
} finally {
  server?.kill('SIGTERM');
  if (server && server.exitCode === null) await new Promise((done) => server.once('exit', done));
  rmSync(directory, { recursive: true, force: true });
}
