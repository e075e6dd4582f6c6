// One connection to RabbitMQ, opened on first use and again after it was lost. The driver, which is loaded here, never connects again
// by itself: what was under way on a lost connection may have been done, and only its user can find out.

import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import { tlsOptions } from '../tls.ts';
import { ConnectError } from './driver-errors.ts';
import type { Endpoint } from './endpoint.ts';

/** The largest frame: 4.x servers refuse a smaller one where it is their default. */
const FRAME_MAX_BYTES = 131_072;

/** The driver's own connection, as far as it must be cut. */
interface Wire {
  readonly stream: { destroy(error: Error): void };
}

export class Connection {
  readonly #model: ChannelModel;
  /** Why the server takes nothing from publishers now (a memory or disk alarm); `null`: it does. */
  blocked: string | null = null;
  #failure: Error | null = null;
  #isClosed = false;
  readonly #watchers = new Set<() => void>();

  private constructor(model: ChannelModel) {
    this.#model = model;
    model.on('error', (error: Error) => {
      this.#failure ??= error;
    });
    model.on('close', () => {
      this.#isClosed = true;
      this.#changed();
    });
    model.on('blocked', (reason: string) => {
      this.blocked = reason;
      this.#changed();
    });
    model.on('unblocked', () => {
      this.blocked = null;
      this.#changed();
    });
  }

  /** Throws `CertificateFileError` and `ConnectError`. */
  static async open(endpoint: Endpoint, name: string): Promise<Connection> {
    const [{ connect }, tls] = await Promise.all([import('amqplib'), tlsOptions(endpoint)]);
    const { host, port, username, password, vhost, connectTimeoutMs, heartbeatSeconds } = endpoint;
    try {
      const model = await connect(
        {
          protocol: tls === false ? 'amqp' : 'amqps',
          hostname: host,
          port,
          username,
          password,
          vhost: encodeURIComponent(vhost),
          heartbeat: heartbeatSeconds,
          frameMax: FRAME_MAX_BYTES,
        },
        {
          ...(tls === false ? {} : tls),
          noDelay: true,
          timeout: connectTimeoutMs,
          clientProperties: { connection_name: name },
        },
      );
      return new Connection(model);
    } catch (error) {
      throw new ConnectError('no connection', { cause: error });
    }
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** Why it was lost, where the driver has told. */
  get failure(): Error {
    return this.#failure ?? new Error('the connection is closed');
  }

  /** `null` where the server does not tell. */
  get version(): string | null {
    const { version } = this.#model.connection.serverProperties as { version?: unknown };
    return typeof version === 'string' ? version : null;
  }

  /** A channel whose errors are reported by its calls; the listener keeps them from ending the process. */
  async channel(): Promise<Channel> {
    const channel = await this.#model.createChannel();
    channel.on('error', () => {});
    return channel;
  }

  async confirmChannel(): Promise<ConfirmChannel> {
    const channel = await this.#model.createConfirmChannel();
    channel.on('error', () => {});
    return channel;
  }

  /** Calls back when it is blocked, unblocked or lost, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /** Cuts it: what waits on it fails at once, what was not sent never is. */
  drop(): void {
    if (this.#isClosed) return;
    (this.#model.connection as unknown as Wire).stream.destroy(new Error('the connection was cut'));
  }

  /** Waits until the server has seen all that was sent, but no longer than `ms`. */
  async close(ms: number): Promise<void> {
    if (this.#isClosed) return;
    const deadline = new Promise((resolve) => AbortSignal.timeout(ms).addEventListener('abort', resolve, { once: true }));
    await Promise.race([this.#model.close().catch(() => undefined), deadline]);
    this.drop();
  }

  #changed(): void {
    for (const changed of [...this.#watchers]) changed();
  }
}

/** How long a peer may take to say goodbye. */
const CLOSE_MS = 2000;

/** The connection of a component: the first use opens it, and one after a loss opens another. */
export class Connections {
  readonly endpoint: Endpoint;
  readonly #name: string;
  #open: Promise<Connection> | null = null;

  constructor(endpoint: Endpoint, name: string) {
    this.endpoint = endpoint;
    this.#name = name;
  }

  async get(): Promise<Connection> {
    const opening = this.#open,
      known = await opening?.catch(() => null);
    if (known?.isOpen) return known;
    // Only the first of those who see a lost connection opens another one.
    if (this.#open === opening) this.#open = null;
    this.#open ??= Connection.open(this.endpoint, this.#name);
    return this.#open;
  }

  /** Cuts it: a failed one is not used again. */
  forget(): void {
    const open = this.#open;
    this.#open = null;
    void open?.then(
      (c) => c.drop(),
      () => {},
    );
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await (await open?.catch(() => null))?.close(CLOSE_MS);
  }
}
