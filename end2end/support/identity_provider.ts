// A real OpenID provider on this machine, certified software, with people whose claims a test chooses.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

export type Claims = { email?: string; email_verified?: boolean };

export class IdentityProvider {
  readonly clientId = 'seam';
  readonly clientSecret = 'a secret that only the two of them know';

  private constructor(
    readonly issuer: string,
    readonly people: Map<string, Claims>,
    private readonly server: Server,
  ) {}

  /** Sends people back to `callback`, and nowhere else. */
  static async start(callback: string): Promise<IdentityProvider> {
    const people = new Map<string, Claims>();
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const self = new IdentityProvider(issuer, people, server);
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: self.clientId,
          client_secret: self.clientSecret,
          redirect_uris: [callback],
          grant_types: ['authorization_code'],
          response_types: ['code'],
        },
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified'] },
      cookies: { keys: ['a key of the tests'] },
      features: { devInteractions: { enabled: true } },
      pkce: { required: () => true },
      // Whoever signs in is who they say; that is the provider's business, and not under test.
      findAccount: (_context: unknown, id: string) =>
        people.has(id) ? { accountId: id, claims: async () => ({ sub: id, ...people.get(id) }) } : undefined,
    });
    server.on('request', provider.callback());
    return self;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
