// One reading of the group: first what this consumer left unfinished, then what the dead left and what is new, until it is aborted
// or, for a run that ends, nothing is there any more.

import { CdcError, type ChangeBatch, type ChangeEvent, type Clock, type Position, type ReadContext } from '../../sdk/index.ts';
import type { Client } from '../../systems/redis/client.ts';
import { type EntryDecoder, eventOf } from './decode.ts';
import { describeFields, type Entry, sizeOf } from './entries.ts';
import type { Group } from './group.ts';
import type { Receipts } from './receipts.ts';

/** A blocked connection notices a server that is gone only by its next answer. */
const BLOCK_MS = 1000;
/** What an event costs beside its bytes. */
const OVERHEAD_BYTES = 200;

export interface ReadingOptions {
  readonly source: string;
  readonly stream: string;
  readonly group: Group;
  readonly receipts: Receipts;
  readonly decoder: EntryDecoder;
  readonly claimAfterMs: number;
  readonly maxDeliveries: number | null;
  readonly clock: Clock;
}

export class Reading {
  readonly #o: ReadingOptions;
  readonly #ctx: ReadContext;
  readonly #client: Client;
  readonly #signal: AbortSignal;
  /** Of an entry, as lately seen. */
  #bytes = 1024;
  /** The reply that was asked for, also while the entries before it are worked on; `null`: none. */
  #ahead: Promise<readonly Entry[]> | null = null;
  /** For so many entries. */
  #asked = 0;
  /** What it has brought. */
  #come: readonly Entry[] = [];
  /** Of the reply before, what was not handed over yet. */
  #left: readonly Entry[] = [];

  constructor(options: ReadingOptions, client: Client, ctx: ReadContext, signal: AbortSignal) {
    this.#o = options;
    this.#client = client;
    this.#ctx = ctx;
    this.#signal = signal;
  }

  async *batches(): AsyncGenerator<ChangeBatch> {
    yield* this.#pending();
    let nextClaimMs = 0;
    while (!this.#signal.aborted) {
      const isClaimDue = this.#o.clock.now() >= nextClaimMs;
      // Not while we have a reply that nobody has receipts of: its entries are no dead consumer's.
      if (isClaimDue && this.#ahead === null) {
        yield* this.#claimed();
        nextClaimMs = this.#o.clock.now() + Math.max(this.#o.claimAfterMs / 2, BLOCK_MS);
        continue;
      }
      const entries = await this.#next(!isClaimDue);
      if (entries.length === 0 && this.#ctx.until !== null) return;
      // New to the group, and yet ours, where somebody has made the group anew.
      yield* this.#batchesOf(this.#o.receipts.unknown(entries));
    }
  }

  /** Ids of what was read and not handed over. */
  waiting(): string[] {
    return [...this.#left, ...this.#come].map((e) => e.id);
  }

  async #next(mayReadAhead: boolean): Promise<readonly Entry[]> {
    if (this.#ahead === null) this.#ask(this.#ctx.until === null ? BLOCK_MS : 0);
    const entries = (await this.#ahead) ?? [],
      isFull = entries.length >= this.#asked;
    this.#ahead = null;
    this.#come = [];
    // Where there are plenty the server looks for the next ones while these are worked on; of few, each is left to who is free first.
    // What waits here is lost with us and counts as delivered: not where that is counted.
    if (mayReadAhead && isFull && this.#o.maxDeliveries === null) this.#ask(0);
    return entries;
  }

  #ask(blockMs: number): void {
    this.#asked = this.#count();
    const reply = this.#o.group.readNew(this.#client, this.#asked, blockMs).then((entries) => {
      this.#come = entries;
      return entries;
    });
    // It is told where it is awaited. Once this reading is over nobody does: what has come is pending, and read again by the next one.
    reply.catch(() => undefined);
    this.#ahead = reply;
  }

  async *#pending(): AsyncGenerator<ChangeBatch> {
    for (let after = '0'; !this.#signal.aborted; ) {
      const entries = await this.#o.group.readPending(this.#client, this.#count(), after);
      const last = entries.at(-1);
      if (last === undefined) return;
      after = last.id;
      yield* this.#again(entries);
    }
  }

  async *#claimed(): AsyncGenerator<ChangeBatch> {
    for (let from = '0-0'; !this.#signal.aborted; ) {
      const { entries, next } = await this.#o.group.claim(this.#client, this.#o.claimAfterMs, from, this.#count());
      yield* this.#again(entries);
      if (next === '0-0') return;
      from = next;
    }
  }

  /** Entries that were delivered before: not those that this process still works on. */
  async *#again(entries: readonly Entry[]): AsyncGenerator<ChangeBatch> {
    const { group, receipts, maxDeliveries } = this.#o,
      mine = receipts.unknown(entries);
    if (maxDeliveries === null || mine.length === 0) {
      yield* this.#batchesOf(mine);
      return;
    }
    const counts = await group.deliveries(this.#client, mine);
    yield* this.#batchesOf(mine, (id) => ((counts.get(id) ?? 0) > maxDeliveries ? counts.get(id) : undefined));
  }

  /** `tooOften`: how often an entry was delivered, if that is too often. */
  async *#batchesOf(
    entries: readonly Entry[],
    tooOften: (id: string) => number | undefined = () => undefined,
  ): AsyncGenerator<ChangeBatch> {
    const { maxBatchEvents, maxBatchBytes } = this.#ctx;
    for (let at = 0; at < entries.length && !this.#signal.aborted; ) {
      const some: Entry[] = [];
      let bytes = 0;
      while (at < entries.length && some.length < maxBatchEvents) {
        const entry = entries[at] as Entry,
          size = sizeOf(entry);
        if (some.length > 0 && bytes + size > maxBatchBytes) break;
        at++;
        some.push(entry);
        bytes += size + OVERHEAD_BYTES;
      }
      this.#left = entries.slice(at);
      this.#bytes = (this.#bytes + bytes / some.length) / 2;
      yield await this.#batch(some, bytes, tooOften);
    }
  }

  async #batch(entries: readonly Entry[], bytes: number, tooOften: (id: string) => number | undefined): Promise<ChangeBatch> {
    const { decoder, receipts, source, stream } = this.#o,
      decoded = await decoder.decode(entries, this.#signal),
      events: ChangeEvent[] = [];
    let resume: Position | null = null;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry,
        count = tooOften(entry.id),
        found = count === undefined ? (decoded[i] ?? null) : givenUp(count);
      // Invariant 3: the dead letter is durable before a receipt covers the entry.
      if (found instanceof CdcError) await this.#ctx.reject(describeFields(entry.fields), `entry ${entry.id} of ${stream}`, found);
      resume = receipts.give(entry.id);
      if (found !== null && !(found instanceof CdcError)) events.push(eventOf(entry, found, source, stream, resume));
    }
    return { events, source, partition: stream, resume, bytes };
  }

  /** So many entries that a batch's bytes are about right. */
  #count(): number {
    const { maxBatchEvents, maxBatchBytes } = this.#ctx;
    return Math.max(1, Math.min(maxBatchEvents, Math.floor(maxBatchBytes / this.#bytes)));
  }
}

function givenUp(count: number): CdcError {
  return new CdcError('SOURCE_DATA_INVALID', `The entry was delivered ${count} times and never finished.`, {
    fix: 'Find out what it does to the pipeline; raise `max_deliveries` if it is innocent.',
  });
}
