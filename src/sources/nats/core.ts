// Subjects of core NATS: what is published while we listen, once, and never again. What comes faster than it is delivered is left
// out beyond a bound, and counted.

import type { Msg, Subscription } from '@nats-io/transport-node';
import type { MessageDecoder } from '../../formats/messages.ts';
import { CdcError, type ChangeBatch, type ChangeEvent, type Clock, type Logger, type Position, type ReadContext } from '../../sdk/index.ts';
import type { Session } from '../../systems/nats/connections.ts';
import { decodeAll, eventOf, type Received } from './decode.ts';
import { sizeOf } from './delivered.ts';
import type { Receipts } from './receipts.ts';

const PARTITION = 'core';
/** Bytes that wait at most. */
const MAX_WAITING_BYTES = 64 << 20;
/** Between two warnings about messages that were left out. */
const WARN_EVERY_MS = 10_000;

export interface CoreOptions {
  readonly source: string;
  readonly subjects: readonly string[];
  readonly group: string | null;
  /** Messages that wait at most. */
  readonly maxWaiting: number;
  readonly decoder: MessageDecoder;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class CoreReading {
  readonly #o: CoreOptions;
  readonly #receipts: Receipts;
  readonly #session: Session;
  readonly #ctx: ReadContext;
  readonly #signal: AbortSignal;
  readonly #waiting: Received[] = [];
  #bytes = 0;
  #leftOut = 0;
  #warnedMs = 0;
  #sequence = 0;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(options: CoreOptions, receipts: Receipts, session: Session, ctx: ReadContext, signal: AbortSignal) {
    this.#o = options;
    this.#receipts = receipts;
    this.#session = session;
    this.#ctx = ctx;
    this.#signal = signal;
  }

  async *batches(): AsyncGenerator<ChangeBatch> {
    await this.#ctx.assign(PARTITION);
    const subscriptions = this.#o.subjects.map((s) => this.#subscribe(s));
    this.#session.onDenied = (error) => this.#fail(error);
    void this.#session.lost.then((error) => this.#fail(error));
    const wake = (): void => this.#wakeUp();
    this.#signal.addEventListener('abort', wake, { once: true });
    try {
      await this.#session.connected.nc.flush();
      while (!this.#signal.aborted && (this.#ctx.until === null || this.#waiting.length > 0)) {
        if (this.#waiting.length > 0) yield await this.#batch(this.#take());
        else if (this.#failure !== null) throw this.#failure;
        else await this.#woken();
      }
    } finally {
      this.#signal.removeEventListener('abort', wake);
      this.#session.onDenied = null;
      if (this.#session.isOpen) for (const subscription of subscriptions) subscription.unsubscribe();
    }
  }

  #subscribe(subject: string): Subscription {
    const { group } = this.#o;
    return this.#session.connected.nc.subscribe(subject, {
      ...(group === null ? {} : { queue: group }),
      callback: (error, message) => {
        if (error === null) this.#receive(message);
        else this.#fail(error);
      },
    });
  }

  #receive({ subject, data, headers }: Msg): void {
    const { clock, logger, maxWaiting } = this.#o,
      nowMs = clock.now(),
      received = { subject, data, headers, timestampMs: nowMs, sequence: null };
    // Invariant 5: nothing holds the publisher back, so only leaving out bounds our memory.
    if (this.#waiting.length >= maxWaiting || this.#bytes >= MAX_WAITING_BYTES) {
      this.#leftOut++;
      if (nowMs - this.#warnedMs < WARN_EVERY_MS) return;
      this.#warnedMs = nowMs;
      logger.warn('messages of core NATS come faster than they are delivered: some are left out', { left_out: this.#leftOut });
      return;
    }
    this.#waiting.push(received);
    this.#bytes += sizeOf(received);
    this.#wakeUp();
  }

  #take(): Received[] {
    const { maxBatchEvents, maxBatchBytes } = this.#ctx;
    let count = 0,
      bytes = 0;
    for (const received of this.#waiting) {
      const size = sizeOf(received);
      if (count >= maxBatchEvents || (count > 0 && bytes + size > maxBatchBytes)) break;
      bytes += size;
      count++;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #batch(received: readonly Received[]): Promise<ChangeBatch> {
    const { decoder, source } = this.#o,
      decoded = await decodeAll(decoder, received, this.#signal),
      events: ChangeEvent[] = [];
    let resume: Position | null = null,
      bytes = 0;
    for (const [i, message] of received.entries()) {
      const found = decoded[i] ?? null;
      resume = this.#receipts.give(++this.#sequence, '');
      // The dead letter is known by the receipt: messages may be alike.
      if (found instanceof CdcError) await this.#ctx.reject(message.data, `a message of ${message.subject}, delivery ${resume}`, found);
      else if (found !== null) events.push(eventOf(message, found, source, PARTITION, resume));
      bytes += sizeOf(message);
    }
    // There is nobody to acknowledge to.
    this.#receipts.clear();
    return { events, source, partition: PARTITION, resume: resume as Position, bytes };
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wakeUp();
  }

  #woken(): Promise<void> {
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
