// The deduplication window: ids of messages that were delivered lately, so that one which a broker or a producer sends again is
// dropped before the log. For queue sources only: what a log source reads again has the same position, and lanes drop it by that.
//
// An id counts once every required lane is past its event, and is saved before its message is acknowledged, in one step with
// the notes about optional lanes that lack it. So a crash can only forget ids of messages that come again anyway, and no
// id is known whose event was not delivered (invariant 3).

import { createHash } from 'node:crypto';
import type { ChangeEvent, Clock } from '../sdk/index.ts';
import type { DeliveredIds, StateChange } from '../state/store.ts';

export interface DeduplicatorOptions {
  readonly windowMs: number;
  /** Ids kept at most, about 100 bytes each; the oldest go first. */
  readonly maxIds: number;
  readonly clock: Clock;
  /** Names of the queue sources. */
  readonly sources: ReadonlySet<string>;
}

/** The ids are saved and forgotten by the bucket: what a save writes again is a small part, and few rows are kept. */
const BUCKETS = 256;
const ID_BYTES = 16;

interface Bucket {
  readonly number: number;
  readonly firstMs: number;
  lastMs: number;
  readonly ids: string[];
}

export class Deduplicator {
  readonly #o: DeduplicatorOptions;
  /** Oldest first. */
  #buckets: Bucket[] = [];
  readonly #delivered = new Map<string, Bucket>();
  /** In the log, not past every required lane: a second copy is dropped too, since its receipt waits behind the first. */
  readonly #inFlight = new Set<string>();
  #pending: { readonly endSeq: number; readonly ids: readonly string[] }[] = [];
  readonly #dirty = new Set<Bucket>();
  readonly #gone = new Set<number>();
  #nextNumber = 1;
  #size = 0;

  constructor(options: DeduplicatorOptions) {
    this.#o = options;
  }

  restore(stored: readonly DeliveredIds[]): void {
    for (const { bucket: number, lastMs, ids } of stored) {
      const text = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('latin1');
      const bucket: Bucket = { number, firstMs: lastMs, lastMs, ids: [] };
      for (let i = 0; i + ID_BYTES <= text.length; i += ID_BYTES) this.#add(bucket, text.slice(i, i + ID_BYTES));
      this.#buckets.push(bucket);
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    }
  }

  /** Those events of a batch that are not known. The same array when all of them are new. */
  fresh(events: readonly ChangeEvent[]): readonly ChangeEvent[] {
    if (!this.#concerns(events)) return events;
    const nowMs = this.#o.clock.now(),
      seen = new Set<string>();
    const fresh = events.filter((event) => {
      const id = idOf(event);
      if (id === null) return true;
      if (seen.has(id) || this.#inFlight.has(id) || this.#isDelivered(id, nowMs)) return false;
      seen.add(id);
      return true;
    });
    return fresh.length === events.length ? events : fresh;
  }

  /** `events`: what `fresh` left of a batch that is in the log now, before transformers. */
  appended(endSeq: number, events: readonly ChangeEvent[]): void {
    if (!this.#concerns(events)) return;
    const ids = events.flatMap((event) => idOf(event) ?? []);
    for (const id of ids) this.#inFlight.add(id);
    if (ids.length > 0) this.#pending.push({ endSeq, ids });
  }

  /** What is to be saved now that every required lane is past `upTo`; `null` when nothing is. Call `saved` once it is. */
  due(upTo: number): NonNullable<StateChange['delivered']> | null {
    const nowMs = this.#o.clock.now();
    const done = this.#pending.findIndex(({ endSeq }) => endSeq > upTo);
    for (const { ids } of this.#pending.splice(0, done < 0 ? this.#pending.length : done)) {
      for (const id of ids) {
        this.#inFlight.delete(id);
        this.#deliver(id, nowMs);
      }
    }
    this.#evict(nowMs);
    // Without new ids there is no hurry to remove old ones.
    if (this.#dirty.size === 0) return null;
    return [
      ...[...this.#gone].map((bucket) => ({ bucket, ids: null })),
      ...[...this.#dirty].map((b) => ({ bucket: b.number, lastMs: b.lastMs, ids: new Uint8Array(Buffer.from(b.ids.join(''), 'latin1')) })),
    ];
  }

  saved(): void {
    this.#dirty.clear();
    this.#gone.clear();
  }

  #concerns(events: readonly ChangeEvent[]): boolean {
    const [first] = events;
    return first !== undefined && this.#o.sources.has(first.source);
  }

  #isDelivered(id: string, nowMs: number): boolean {
    const bucket = this.#delivered.get(id);
    return bucket !== undefined && nowMs - bucket.lastMs <= this.#o.windowMs;
  }

  #deliver(id: string, nowMs: number): void {
    let bucket = this.#buckets.at(-1);
    if (bucket === undefined || this.#isFull(bucket, nowMs)) {
      bucket = { number: this.#nextNumber++, firstMs: nowMs, lastMs: nowMs, ids: [] };
      this.#buckets.push(bucket);
    }
    bucket.lastMs = nowMs;
    this.#add(bucket, id);
    this.#dirty.add(bucket);
  }

  #add(bucket: Bucket, id: string): void {
    bucket.ids.push(id);
    this.#size++;
    this.#delivered.set(id, bucket);
  }

  #isFull({ firstMs, ids }: Bucket, nowMs: number): boolean {
    const { windowMs, maxIds } = this.#o;
    return ids.length >= Math.ceil(maxIds / BUCKETS) || nowMs - firstMs >= windowMs / BUCKETS || nowMs < firstMs;
  }

  #evict(nowMs: number): void {
    const { windowMs, maxIds } = this.#o;
    for (;;) {
      const [oldest] = this.#buckets;
      if (oldest === undefined || (nowMs - oldest.lastMs <= windowMs && this.#size <= maxIds)) return;
      this.#buckets.shift();
      this.#size -= oldest.ids.length;
      for (const id of oldest.ids) if (this.#delivered.get(id) === oldest) this.#delivered.delete(id);
      this.#dirty.delete(oldest);
      this.#gone.add(oldest.number);
    }
  }
}

/** 128 bits as sixteen characters: two different ids of a million meet once in 10^26 windows. */
function idOf({ source, messageId }: ChangeEvent): string | null {
  if (messageId === null) return null;
  return createHash('sha256').update(`${source}\0${messageId}`).digest('binary').slice(0, ID_BYTES);
}
