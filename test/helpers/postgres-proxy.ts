// A proxy before a database that misbehaves on request: gone, cut around a COMMIT, or behind TLS with a certificate of ours.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** `before`: COMMIT never reaches the server. `after`: it does, its answer never comes back. */
export type CommitCut = 'before' | 'after';

export interface ProxyOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Does the client commit with this? PostgreSQL's way unless given. */
  readonly isCommit?: (chunk: Buffer) => boolean;
  /** Where to listen; any free port unless given. */
  readonly port?: number;
}

/** SSLRequest: length 8, code 80877103. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

export class PostgresProxy implements AsyncDisposable {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #options: ProxyOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  /** Set for the next COMMIT only. */
  cutNextCommit: CommitCut | null = null;
  /** Changes what the server says, in place. */
  tamper: ((fromServer: Buffer) => void) | null = null;
  /** Connections stand, and nothing passes in either direction: a cable that was pulled. */
  isFrozen = false;

  constructor(url: URL, options: ProxyOptions) {
    this.#target = { host: url.hostname, port: Number(url.port || 5432) };
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  /** A proxy before the server of `url`. */
  static async start(url: string, options: ProxyOptions = {}): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(new URL(url), options);
    await proxy.open();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** The same URL, through the proxy. */
  through(url: string): string {
    const via = new URL(url);
    via.hostname = '127.0.0.1';
    via.port = String(this.#port);
    return via.href;
  }

  /** Listens, on the same port as before. */
  async open(): Promise<void> {
    this.#server = createServer((client) => this.#serve(client));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as { port: number }).port;
  }

  /** Nobody listens any more, and all connections are gone. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(client: Socket): void {
    this.#keep(client);
    const { tls } = this.#options;
    if (tls === undefined) {
      this.#join(client);
      return;
    }
    client.once('data', (request) => {
      if (!SSL_REQUEST.equals(request)) {
        client.destroy();
        return;
      }
      client.write('S');
      const secure = new TLSSocket(client, { isServer: true, ...tls });
      secure.on('error', () => client.destroy());
      this.#join(secure);
    });
  }

  #join(client: Socket): void {
    const server = connect(this.#target.port, this.#target.host);
    this.#keep(server);
    const end = (): void => {
      // Who hangs up at one end is not heard at the other.
      if (this.isFrozen) return;
      client.destroy();
      server.destroy();
    };
    let isSilent = false;
    client.on('data', (chunk: Buffer) => {
      if (this.isFrozen) return;
      const cut = this.cutNextCommit;
      if (cut === null || !this.#isCommit(chunk)) {
        server.write(chunk);
        return;
      }
      this.cutNextCommit = null;
      if (cut === 'before') {
        end();
        return;
      }
      isSilent = true;
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (this.isFrozen) return;
      this.tamper?.(chunk);
      if (isSilent) end();
      else client.write(chunk);
    });
    for (const socket of [client, server]) socket.on('close', end).on('error', end);
  }

  #isCommit(chunk: Buffer): boolean {
    return this.#options.isCommit?.(chunk) ?? chunk.includes('COMMIT\0');
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
  }
}
