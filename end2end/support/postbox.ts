// A real mail server that keeps what it is given.
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export type Letter = { to: string[]; raw: string };

export class Postbox {
  readonly letters: Letter[] = [];
  readonly #server: SMTPServer;

  private constructor() {
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData: (stream, session, done) => {
        let raw = '';
        stream.on('data', (chunk: Buffer) => (raw += chunk.toString()));
        stream.on('end', () => {
          this.letters.push({ to: session.envelope.rcptTo.map((one: { address: string }) => one.address), raw });
          done();
        });
      },
    });
  }

  static async open(): Promise<Postbox> {
    const postbox = new Postbox();
    await new Promise<void>((done) => postbox.#server.listen(0, '127.0.0.1', () => done()));
    return postbox;
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.#server.server.address() as AddressInfo).port}`;
  }

  /** The link with this path in the newest letter to an address, once there is one. */
  async link(to: string, path: string): Promise<string> {
    const deadline = Date.now() + 10_000;
    while (Date.now() < deadline) {
      const letter = this.letters.findLast((letter) => letter.to.includes(to));
      const text = letter?.raw.replace(/=\r?\n/g, '').replace(/=3D/g, '=');
      const link = text?.match(new RegExp(`https?://\\S+${path}[\\w-]+`))?.[0];
      if (link) return link;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`no letter to ${to} with a link to ${path}`);
  }

  async close(): Promise<void> {
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}
