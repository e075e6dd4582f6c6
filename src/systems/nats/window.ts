// Many messages on their way at once: each names a subject below one inbox for its answer, so that there is one subscription and no
// promise per message. Stops at the first answer that says no, since a later message would hide it.

import type { Msg, MsgHdrs, Subscription } from '@nats-io/transport-node';
import type { Session } from './connections.ts';
import { ApiError } from './driver-errors.ts';
import { isYes, parsePubAck } from './pub-ack.ts';

export interface WindowMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}

export interface WindowOptions {
  readonly maxInFlight: number;
  /** Without an answer for this long the messages count as lost. */
  readonly timeoutMs: number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Not all messages were confirmed. `isHole`: one that was sent later was. */
export class WindowError extends Error {
  override readonly name = 'WindowError';
  readonly isHole: boolean;
  constructor(cause: unknown, isHole: boolean) {
    super('not all messages were confirmed', { cause });
    this.isHole = isHole;
  }
}

/** Resolves when all are stored. Rejects with `WindowError`. */
export async function publishWindow(session: Session, messages: readonly WindowMessage[], options: WindowOptions): Promise<void> {
  const window = new Window(session, options);
  try {
    await window.send(messages);
  } finally {
    window.close();
  }
}

class Window {
  readonly #session: Session;
  readonly #options: WindowOptions;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  /** Which message each confirms is read from its subject, and only when one is missing: that is as dear as the rest of an answer. */
  readonly #confirmations: Msg[] = [];
  readonly #over = new AbortController();
  #sent = 0;
  #failure: { readonly cause: unknown } | null = null;
  #wake: (() => void) | null = null;

  constructor(session: Session, options: WindowOptions) {
    const { nc } = session.connected;
    this.#session = session;
    this.#options = options;
    this.#inbox = inboxOf(session);
    this.#subscription = nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) this.#fail(error);
        else this.#answer(message);
      },
    });
    session.onDenied = (error) => this.#fail(error);
    void session.lost.then((error) => this.#fail(error));
    void this.#watch();
  }

  async send(messages: readonly WindowMessage[]): Promise<void> {
    const { nc } = this.#session.connected;
    for (const { subject, data, headers } of messages) {
      if (this.#inFlight >= this.#options.maxInFlight) await this.#until(() => this.#inFlight < this.#options.maxInFlight);
      if (this.#failure !== null) break;
      nc.publish(subject, data, { headers, reply: `${this.#inbox}.${this.#sent++}` });
    }
    await this.#until(() => this.#inFlight === 0);
    if (this.#failure !== null) throw new WindowError(this.#failure.cause, this.#isHole());
  }

  close(): void {
    this.#over.abort();
    this.#session.onDenied = null;
    if (this.#session.isOpen) this.#subscription.unsubscribe();
  }

  get #inFlight(): number {
    return this.#sent - this.#confirmations.length;
  }

  #answer(message: Msg): void {
    const { data } = message;
    if (isYes(data)) {
      this.#confirmations.push(message);
      this.#wakeUp();
      return;
    }
    try {
      // Nobody listens: no stream takes the subject, or it has no leader.
      if (message.headers?.code === 503) throw new ApiError(10_009, 'nobody takes the subject');
      parsePubAck(data);
    } catch (error) {
      this.#fail(error);
    }
  }

  #isHole(): boolean {
    const lastOf = (last: number, { subject }: Msg): number => Math.max(last, Number(subject.slice(this.#inbox.length + 1)));
    return this.#confirmations.reduce(lastOf, -1) >= this.#confirmations.length;
  }

  #fail(cause: unknown): void {
    this.#failure ??= { cause };
    this.#wakeUp();
  }

  /** Fails when nothing has been confirmed for too long. */
  async #watch(): Promise<void> {
    const { signal } = this.#over;
    for (let before = -1; !signal.aborted; ) {
      await this.#options.sleep(this.#options.timeoutMs, signal);
      if (signal.aborted) return;
      if (before === this.#confirmations.length) {
        const silence = new Error('no answer in time');
        silence.name = 'TimeoutError';
        this.#fail(silence);
      }
      before = this.#confirmations.length;
    }
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (this.#failure === null && !isSo())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

let windows = 0;

/** Below the inbox that the connection may subscribe to. */
function inboxOf({ connected: { nc } }: Session): string {
  const { inboxPrefix = '_INBOX' } = (nc as unknown as { readonly options?: { inboxPrefix?: string } }).options ?? {};
  return `${inboxPrefix}.cdc${process.pid.toString(36)}${(++windows).toString(36)}${nc.info?.client_id ?? 0}`;
}
