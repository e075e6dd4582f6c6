// One connection, opened on first use and again after it was lost.

import { unlessAborted } from '../../util/signal.ts';
import type { ConnectionConfig } from './config.ts';
import { type Connected, openConnection } from './connect.ts';
import { lossOf } from './driver-errors.ts';

export type Open = (config: ConnectionConfig, name: string, peers: readonly string[]) => Promise<Session>;

/** A connection that is open, or was. */
export class Session {
  readonly connected: Connected;
  /** Resolves with the reason once the connection is gone, whoever closed it. */
  readonly lost: Promise<Error>;
  /** Subjects that the server has refused lately: it says so beside the traffic. */
  onDenied: ((error: Error) => void) | null = null;

  constructor(connected: Connected) {
    this.connected = connected;
    this.lost = connected.nc.closed().then(lossOf);
    void this.#watch();
  }

  get isOpen(): boolean {
    return !this.connected.nc.isClosed();
  }

  /** `host:port` of the servers of the cluster, as the server has said lately. */
  get peers(): readonly string[] {
    return this.connected.nc.info?.connect_urls ?? [];
  }

  cut(): void {
    void this.connected.nc.close().catch(() => undefined);
  }

  async #watch(): Promise<void> {
    for await (const status of this.connected.nc.status()) if (status.type === 'error') this.onDenied?.(status.error);
  }
}

export class Connections {
  readonly config: ConnectionConfig;
  readonly #name: string;
  readonly #open: Open;
  #session: Promise<Session> | null = null;
  /** Of the last session: one of them may be there when those that are configured are not. */
  #peers: readonly string[] = [];
  #closed = false;

  constructor(config: ConnectionConfig, name: string, open: Open = async (c, n, p) => new Session(await openConnection(c, n, p))) {
    this.config = config;
    this.#name = name;
    this.#open = open;
  }

  /** Runs `work` on the connection. When `signal` aborts the connection is cut, so that nothing is waited for. */
  async use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const opening = this.#connected();
    const session = await (signal === null ? opening : unlessAborted(opening, signal));
    const cut = (): void => {
      this.#session = null;
      session.cut();
    };
    signal?.throwIfAborted();
    signal?.addEventListener('abort', cut, { once: true });
    try {
      const working = work(session);
      return await (signal === null ? working : unlessAborted(working, signal));
    } finally {
      signal?.removeEventListener('abort', cut);
    }
  }

  /** Cuts the connection: a failed one is not used again. */
  forget(): void {
    const session = this.#session;
    this.#session = null;
    void session?.then(
      (s) => s.cut(),
      () => undefined,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    const session = await this.#session?.catch(() => null);
    this.#session = null;
    await session?.connected.nc.close().catch(() => undefined);
  }

  async #connected(): Promise<Session> {
    for (;;) {
      const opening = this.#session ?? this.#open(this.config, this.#name, this.#peers);
      this.#session = opening;
      try {
        const session = await opening;
        if (session.peers.length > 0) this.#peers = session.peers;
        if (this.#closed) session.cut();
        if (session.isOpen || this.#closed) return session;
      } catch (error) {
        if (this.#session === opening) this.#session = null;
        throw error;
      }
      // Only the first of those who see a lost connection opens another one.
      if (this.#session === opening) this.#session = null;
    }
  }
}
