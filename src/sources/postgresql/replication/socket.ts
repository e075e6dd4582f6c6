// A connection in replication mode: `pg` does the login (TLS, SCRAM, Unix sockets, PG* variables, password file) and the
// commands before the stream; then its socket is taken over, and bytes go into arenas.
// https://www.postgresql.org/docs/current/protocol-replication.html

import { Socket as NetSocket, type OnReadOpts, type Socket, type SocketConstructorOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, ClientConfig } from 'pg';
import type { Endpoint } from '../../../systems/postgresql/endpoint.ts';
import { KEEPALIVE_DELAY_MS, RAW_TEXT } from '../../../systems/postgresql/lending.ts';
import { tlsOptions } from '../../../systems/tls.ts';
import { startupOptions } from '../session-settings.ts';
import { Arena } from './arena.ts';

export interface Login {
  readonly endpoint: Endpoint;
  readonly connectionTimeoutMs: number;
}

export type TextRow = { readonly [column: string]: string | null };

/** What happens on the socket once it is ours. */
export interface SocketEvents {
  /** `n` bytes more are in the arena. `filled`: the read took all the room there was, so more is waiting. */
  onRead(n: number, filled: boolean): void;
  onClose(error: Error | null): void;
}

/** The driver knows this option, its type declaration does not. */
type ReplicationConfig = ClientConfig & { readonly replication: 'database' };

export class ReplicationConnection {
  readonly arena = new Arena();
  readonly #client: Client;
  #events: SocketEvents | null = null;
  #error: Error | null = null;

  private constructor(client: (stream: () => Duplex) => Client, encrypted: boolean) {
    // A TLS socket decrypts into buffers of its own, so there bytes are copied once more.
    const stream = encrypted ? new NetSocket() : this.#arenaSocket();
    this.#client = client(() => stream);
    this.#client.on('error', (error) => {
      this.#error ??= error;
    });
  }

  /** Throws errors of the driver; when `signal` aborts, its reason. */
  static async open({ endpoint, connectionTimeoutMs }: Login, signal: AbortSignal | null): Promise<ReplicationConnection> {
    signal?.throwIfAborted();
    const [{ Client: PgClient }, ssl] = await Promise.all([import('pg'), tlsOptions(endpoint)]);
    const { host, port, database, user, password, applicationName, options } = endpoint;
    const config = (stream: () => Duplex): ReplicationConfig => ({
      host,
      port,
      database,
      user,
      password,
      ssl,
      stream,
      replication: 'database',
      application_name: applicationName,
      options: startupOptions(options, [['statement_timeout', '0']]),
      connectionTimeoutMillis: connectionTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      types: RAW_TEXT,
    });
    const connection = new ReplicationConnection((stream) => new PgClient(config(stream)), ssl !== false);
    await connection.#unlessAborted(signal, () => connection.#client.connect());
    return connection;
  }

  /** One command of the replication protocol, or SQL. */
  query(text: string, signal: AbortSignal | null = null): Promise<readonly TextRow[]> {
    return this.#unlessAborted(signal, async () => (await this.#client.query<Record<string, string | null>>(text)).rows);
  }

  /** From here on all bytes go into the arena, and what is written is ours. Nothing else may be under way. */
  takeOver(events: SocketEvents): void {
    this.#events = events;
    const stream = this.#stream;
    stream.removeAllListeners('data');
    if (this.#isEncrypted) stream.on('data', (chunk: Buffer) => this.#readChunk(chunk));
    stream.on('error', (error) => {
      this.#error ??= error;
    });
    stream.on('close', () => events.onClose(this.#error));
    if (stream.destroyed) events.onClose(this.#error);
  }

  write(bytes: Buffer): void {
    if (this.#stream.writable) this.#stream.write(bytes);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Says what is left to say, then closes. */
  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  /** Ends a connection that was not taken over. */
  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  /** After the login this is the encrypted socket where there is one: `pg` swaps it. */
  get #stream(): Socket {
    return this.#client.connection.stream as Socket;
  }

  get #isEncrypted(): boolean {
    return 'encrypted' in this.#stream;
  }

  /** The kernel writes straight into the arena: no buffer per read, no copy. */
  #arenaSocket(): Socket {
    const arena = this.arena;
    // Documented for `net.connect`; the constructor takes it, too, but its type declaration does not know.
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      onread: {
        buffer: () => arena.space(),
        callback: (n: number): boolean => {
          if (this.#events === null) {
            // The driver still reads: its own copy, since the arena's bytes are written again until we take over.
            socket.emit('data', Buffer.from(arena.bytes.subarray(arena.to, arena.to + n)));
            return true;
          }
          const filled = arena.to + n === arena.bytes.length;
          arena.to += n;
          this.#events.onRead(n, filled);
          return true;
        },
      },
    };
    const socket: Socket = new NetSocket(options);
    return socket;
  }

  #readChunk(chunk: Buffer): void {
    const { arena } = this;
    for (let at = 0; at < chunk.length && !this.#stream.destroyed; ) {
      const n = Math.min(chunk.length - at, arena.bytes.length - arena.to);
      chunk.copy(arena.bytes, arena.to, at, at + n);
      arena.to += n;
      at += n;
      this.#events?.onRead(n, at < chunk.length);
    }
  }

  /** A command that hangs (a slot that waits for old transactions) ends with the connection. */
  async #unlessAborted<T>(signal: AbortSignal | null, work: () => Promise<T>): Promise<T> {
    const cut = (): void => this.destroy();
    signal?.addEventListener('abort', cut, { once: true });
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', cut);
    }
  }
}
