// A model server that says exactly what a test wants said, in OpenAI's dialect over real HTTP.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class ScriptedModel {
  #server: Server;
  /** What the next answers say; the last one stays. */
  text = 'Hello.';
  /** Milliseconds between two pieces of it. */
  pause = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ScriptedModel> {
    const server = createServer();
    const model = new ScriptedModel(server);
    server.on('request', (request, response) => {
      request.resume();
      request.on('end', async () => {
        if (request.method === 'GET') {
          response.setHeader('content-type', 'application/json');
          return response.end(JSON.stringify({ object: 'list', data: [{ id: 'scripted', object: 'model' }] }));
        }
        response.setHeader('content-type', 'text/event-stream');
        const event = (delta: object, finish: string | null) =>
          response.write(`data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'scripted', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
        event({ role: 'assistant', content: '' }, null);
        for (const piece of model.text.match(/[\s\S]{1,7}/g) ?? []) {
          event({ content: piece }, null);
          if (model.pause) await new Promise((done) => setTimeout(done, model.pause));
        }
        event({}, 'stop');
        const usage = { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 };
        response.write(`data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'scripted', choices: [], usage })}\n\n`);
        response.end('data: [DONE]\n\n');
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return model;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}
