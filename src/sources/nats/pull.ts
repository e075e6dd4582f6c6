// Pulls messages of a durable consumer, one request at a time: the server sends so many as were asked for and no more, so memory is
// bounded. https://docs.nats.io/reference/reference-protocols/nats_api_reference#fetching-messages-from-a-pull-consumer

import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Session } from '../../systems/nats/connections.ts';
import { ApiError } from '../../systems/nats/driver-errors.ts';
import { nextTurn } from '../../util/next-turn.ts';
import { type Delivered, parseReply } from './delivered.ts';

const NANOS_PER_MS = 1_000_000;
/** How long a request waits at the server, where the consumer allows it. */
export const EXPIRES_MS = 5_000;
/** Signs of life while it waits: of three one must come, or it was lost. */
const SIGNS = 5,
  LOST_SIGNS = 3;
/** A request may be short; a server is never asked for signs of life more often than this would be lost. */
const LEAST_PATIENCE_MS = 1_000;
/** How long to wait for what is on its way when nothing more is wanted. */
const CLOSE_MS = 500;

export interface PullOptions {
  readonly stream: string;
  readonly consumer: string;
  /** How long a request waits at the server. */
  readonly expiresMs: number;
  /** Messages to ask for. */
  count(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export class Pull {
  readonly #session: Session;
  readonly #options: PullOptions;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #over = new AbortController();
  #queue: Delivered[] = [];
  /** Of the request under way: messages that it may still bring. */
  #due = 0;
  /** Something has come since this was last asked. */
  #isHeard = false;
  #request = 0;
  #isEmpty = false;
  #isStopped = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  private constructor(session: Session, inbox: string, options: PullOptions) {
    this.#session = session;
    this.#options = options;
    this.#inbox = inbox;
    this.#subscription = session.connected.nc.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message);
        else this.#fail(error);
      },
    });
    session.onDenied = (error) => this.#fail(error);
    void session.lost.then((error) => this.#fail(error));
    void this.#watch();
  }

  static async open(session: Session, options: PullOptions): Promise<Pull> {
    const { createInbox: inbox } = await import('@nats-io/transport-node');
    return new Pull(session, inbox(), options);
  }

  /** What has come and was not taken. */
  get waiting(): readonly Delivered[] {
    return this.#queue;
  }

  /** All that is there, once there is any; none: `isEnding`, and the consumer has nothing now. */
  async next(isEnding: boolean): Promise<Delivered[]> {
    this.#isEmpty = false;
    while (this.#queue.length === 0 && this.#failure === null && !this.#isEmpty && !this.#isStopped) {
      if (this.#due === 0) this.#ask(isEnding);
      await this.#woken();
    }
    if (this.#queue.length === 0 && this.#failure !== null) throw this.#failure;
    // What is read from the socket right behind them goes along: a batch for each read would be a tenth of one.
    for (let size = 0; this.#due > 0 && this.#queue.length > size; await nextTurn()) size = this.#queue.length;
    const taken = this.#queue;
    this.#queue = [];
    // While these are worked on, the next ones come.
    if (this.#due === 0 && this.#failure === null && !isEnding && !this.#isStopped) this.#ask(false);
    return taken;
  }

  /** Whoever waits for messages gets none. */
  stop(): void {
    this.#isStopped = true;
    this.#wakeUp();
  }

  /** Resolves with what has come and nobody took, what was still on its way among it. */
  async close(): Promise<readonly Delivered[]> {
    this.#over.abort();
    this.#session.onDenied = null;
    const patience = new AbortController();
    if (this.#session.isOpen)
      await Promise.race([this.#subscription.drain().catch(() => undefined), this.#options.sleep(CLOSE_MS, patience.signal)]);
    patience.abort();
    return this.#queue;
  }

  #ask(isEnding: boolean): void {
    const { stream, consumer, expiresMs, count } = this.#options,
      batch = count();
    this.#due = batch;
    const expires = expiresMs * NANOS_PER_MS,
      request = isEnding ? { batch, no_wait: true } : { batch, expires, idle_heartbeat: Math.floor(expires / SIGNS) };
    this.#session.connected.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
      reply: `${this.#inbox}.${++this.#request}`,
    });
  }

  /** A request that should have ended long ago was lost with its leader, and with it maybe what was acknowledged just then. */
  async #watch(): Promise<void> {
    const { signal } = this.#over,
      patienceMs = Math.max(LEAST_PATIENCE_MS, (this.#options.expiresMs / SIGNS) * LOST_SIGNS);
    for (let before = 0; !signal.aborted; ) {
      this.#isHeard = false;
      await this.#options.sleep(patienceMs, signal);
      // Where we were busy for so long, what has come meanwhile is read first.
      await nextTurn();
      if (signal.aborted) return;
      if (before === this.#request && this.#due > 0 && !this.#isHeard) this.#fail(silence());
      before = this.#request;
    }
  }

  #take(message: Msg): void {
    const { headers, reply } = message;
    this.#isHeard = true;
    if (reply === undefined || reply === '') {
      if (Number(message.subject.slice(this.#inbox.length + 1)) === this.#request)
        this.#status(headers?.code ?? 0, headers?.description ?? '');
      return;
    }
    const place = parseReply(reply);
    if (place === null) return;
    this.#queue.push({ subject: message.subject, data: message.data, headers, reply, ...place });
    if (this.#due > 0) this.#due--;
    this.#wakeUp();
  }

  /** The request has ended without all that it asked for. */
  #status(code: number, description: string): void {
    // A sign of life.
    if (code === 100) return;
    this.#due = 0;
    if (code === 404) this.#isEmpty = true;
    // Nobody listens: the consumer, or JetStream, is gone, or has no leader.
    else if (code === 503) this.#fail(new ApiError(10_009, 'nobody answers for the consumer'));
    else if (/consumer deleted|consumer is push/i.test(description)) this.#fail(new ApiError(10_014, description));
    // 408: its time is over. Anything else is tried again after a while.
    else if (code !== 408 && !/batch completed/i.test(description)) this.#fail(new ApiError(10_009, `${code} ${description}`));
    this.#wakeUp();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wakeUp();
  }

  #woken(): Promise<void> {
    if (this.#failure !== null || this.#queue.length > 0 || this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function silence(): Error {
  const error = new Error('a request was not answered');
  error.name = 'TimeoutError';
  return error;
}
