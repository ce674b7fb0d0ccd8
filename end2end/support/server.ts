// A Seam of its own for a test: the real binary, a fresh data directory, a free port.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const BINARY = resolve(import.meta.dirname, '../../target/release/seam');
const MODELS = process.env.SEAM_TEST_MODELS_DIR ?? join(process.env.SEAM_CACHE_DIR ?? join(homedir(), '.cache/seam'), 'models');

/** How long the server may take until it answers. */
const START_MS = 30_000;

export class Seam {
  readonly directory = mkdtempSync(join(tmpdir(), 'seam-e2e-'));
  readonly data = join(this.directory, 'data');
  url = '';
  /** Everything that the server has said so far. */
  output = '';
  #process?: ChildProcess;
  #port?: number;

  private constructor() {}

  /** A data directory with the local models in it, and nothing else. */
  static prepare(): Seam {
    for (const [what, path, remedy] of [['binary', BINARY, 'make build'], ['models directory', MODELS, 'scripts/models.sh']]) {
      if (!existsSync(path)) throw new Error(`There is no ${what} at ${path}. Remedy: ${remedy}`);
    }
    const seam = new Seam();
    mkdirSync(seam.data);
    symlinkSync(MODELS, join(seam.data, 'models'));
    return seam;
  }

  /** `seam apply` with these resources. */
  apply(resources: string, environment: Record<string, string> = {}): void {
    const file = join(this.directory, 'resources.toml');
    writeFileSync(file, resources);
    const done = spawnSync(BINARY, ['apply', '-f', file], { env: this.#env(environment), cwd: this.directory, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`seam apply failed:\n${done.stdout}${done.stderr}`);
  }

  /** A command of `seam` on this data, beside the running server; what it printed. */
  command(...words: string[]): string {
    const done = spawnSync(BINARY, words, { env: this.#env({}), cwd: this.directory, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`seam ${words.join(' ')} failed:\n${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  async start(environment: Record<string, string> = {}): Promise<void> {
    // A restart keeps the address.
    const port = (this.#port ??= await freePort());
    this.url = `http://127.0.0.1:${port}`;
    const child = spawn(BINARY, ['serve'], {
      env: this.#env({ SEAM_LISTEN: `127.0.0.1:${port}`, ...environment }),
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    const deadline = Date.now() + START_MS;
    while (!(await answers(`${this.url}/readyz`))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`Seam did not start:\n${this.output}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** The one-time link that the server printed. */
  operatorLink(): string {
    const link = this.output.match(/https?:\/\/\S+\/setup\/[^\s"']+/)?.[0];
    if (!link) throw new Error(`The server printed no one-time link:\n${this.output}`);
    return link;
  }

  /** Ends the server as an operator would, and waits for it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#process;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    child.kill(signal);
    const forced = setTimeout(() => child.kill('SIGKILL'), 30_000);
    const code = await ended;
    clearTimeout(forced);
    return code;
  }

  /** Ends the server and removes its data. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Ours alone: nothing that the calling shell happens to set for Seam or for a provider. */
  #env(more: Record<string, string>): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !/^SEAM_|_API_KEY$|^OLLAMA_|^OTEL_/.test(name));
    return { ...Object.fromEntries(inherited), SEAM_DATA_DIR: this.data, ...more };
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? done(address.port) : failed(new Error('no port'))));
    });
  });
}
