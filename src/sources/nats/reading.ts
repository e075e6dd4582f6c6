// One reading of a durable consumer, until it is aborted or, for a run that ends, the consumer has nothing left.

import type { MessageDecoder } from '../../formats/messages.ts';
import { CdcError, type ChangeBatch, type ChangeEvent, type Clock, type Position, type ReadContext } from '../../sdk/index.ts';
import type { Session } from '../../systems/nats/connections.ts';
import { isPoint } from '../../systems/nats/subject.ts';
import { decodeAll, eventOf } from './decode.ts';
import { ACK, type Delivered, GIVE_BACK, sizeOf } from './delivered.ts';
import { Pull } from './pull.ts';
import type { Receipts } from './receipts.ts';

/** What an event costs beside its bytes. */
const OVERHEAD_BYTES = 200;
/** Between two looks whether others have finished what they have. */
const END_POLL_MS = 200;

export interface ReadingOptions {
  readonly source: string;
  readonly stream: string;
  readonly consumer: string;
  readonly receipts: Receipts;
  readonly decoder: MessageDecoder;
  readonly maxDeliveries: number | null;
  /** Messages in a request that the consumer allows, and how long one may wait. */
  readonly maxRequest: number;
  readonly expiresMs: number;
  readonly clock: Clock;
}

export class Reading {
  readonly #o: ReadingOptions;
  readonly #session: Session;
  readonly #ctx: ReadContext;
  readonly #signal: AbortSignal;
  #pull: Pull | null = null;
  /** Of a message, as lately seen. */
  #bytes = 1024;
  /** Taken from the pull and not handed over yet. */
  #taken: readonly Delivered[] = [];

  constructor(options: ReadingOptions, session: Session, ctx: ReadContext, signal: AbortSignal) {
    this.#o = options;
    this.#session = session;
    this.#ctx = ctx;
    this.#signal = signal;
  }

  async *batches(): AsyncGenerator<ChangeBatch> {
    const { stream, consumer, expiresMs, clock } = this.#o;
    const pull = await Pull.open(this.#session, {
      stream,
      consumer,
      expiresMs,
      count: () => this.#count(),
      sleep: (ms, over) => clock.sleep(ms, over),
    });
    this.#pull = pull;
    const stop = (): void => pull.stop();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      while (!this.#signal.aborted) {
        const isEnding = this.#ctx.until !== null,
          come = await pull.next(isEnding);
        this.#taken = come.filter((m) => this.#isWanted(m));
        if (come.length === 0 && isEnding && (await this.#isEmpty())) return;
        yield* this.#batchesOf();
      }
    } finally {
      this.#signal.removeEventListener('abort', stop);
      this.#pull = null;
      // What nobody was handed goes back at once, not only when its time is over.
      const unused = [...this.#taken, ...(await pull.close())];
      this.#taken = [];
      const { nc } = this.#session.connected;
      if (this.#session.isOpen) for (const { reply } of unused) nc.publish(reply, GIVE_BACK);
    }
  }

  /** What has come and was not handed over. */
  waiting(): string[] {
    return [...this.#taken, ...(this.#pull?.waiting ?? [])].map(({ reply }) => reply);
  }

  #isWanted({ subject, sequence, reply }: Delivered): boolean {
    // Delivered again while we still have it: only its newest delivery counts.
    if (this.#o.receipts.renew(sequence, reply)) return false;
    if (!isPoint(subject)) return true;
    this.#session.connected.nc.publish(reply, ACK);
    return false;
  }

  /** Nothing new, and nothing that others have and may give back. */
  async #isEmpty(): Promise<boolean> {
    const { stream, consumer, receipts, clock } = this.#o,
      { num_pending, num_ack_pending } = await this.#session.connected.jsm.consumers.info(stream, consumer);
    if (num_pending === 0 && num_ack_pending <= receipts.size) return true;
    await clock.sleep(END_POLL_MS, this.#signal);
    return false;
  }

  async *#batchesOf(): AsyncGenerator<ChangeBatch> {
    const { maxBatchEvents, maxBatchBytes } = this.#ctx;
    while (this.#taken.length > 0 && !this.#signal.aborted) {
      let count = 0,
        bytes = 0;
      while (count < this.#taken.length && count < maxBatchEvents) {
        const size = sizeOf(this.#taken[count] as Delivered);
        if (count > 0 && bytes + size > maxBatchBytes) break;
        bytes += size + OVERHEAD_BYTES;
        count++;
      }
      this.#bytes = (this.#bytes + bytes / count) / 2;
      const some = this.#taken.slice(0, count),
        batch = await this.#batch(some, bytes);
      this.#taken = this.#taken.slice(count);
      yield batch;
    }
  }

  async #batch(messages: readonly Delivered[], bytes: number): Promise<ChangeBatch> {
    const { decoder, receipts, source, stream, maxDeliveries } = this.#o,
      decoded = await decodeAll(decoder, messages, this.#signal),
      events: ChangeEvent[] = [];
    let resume: Position | null = null;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i] as Delivered,
        isTooOften = maxDeliveries !== null && message.deliveries > maxDeliveries,
        found = isTooOften ? givenUp(message.deliveries) : (decoded[i] ?? null);
      // Invariant 3: the dead letter is durable before a receipt covers the message.
      if (found instanceof CdcError)
        await this.#ctx.reject(message.data, `message ${message.sequence} of ${stream}, ${message.subject}`, found);
      resume = receipts.give(message.sequence, message.reply);
      if (found !== null && !(found instanceof CdcError)) events.push(eventOf(message, found, source, stream, resume));
    }
    return { events, source, partition: stream, resume: resume as Position, bytes };
  }

  /** So many messages that a batch's bytes are about right. */
  #count(): number {
    const { maxBatchEvents, maxBatchBytes } = this.#ctx;
    return Math.max(1, Math.min(maxBatchEvents, this.#o.maxRequest, Math.floor(maxBatchBytes / this.#bytes)));
  }
}

function givenUp(count: number): CdcError {
  return new CdcError('SOURCE_DATA_INVALID', `The message was delivered ${count} times and never finished.`, {
    fix: 'Find out what it does to the pipeline; raise `max_deliveries` if it is innocent.',
  });
}
