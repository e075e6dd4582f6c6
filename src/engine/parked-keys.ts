// Which keys of a lane have an event in the dead letter queue. Later events of such a key wait behind it there, so that sending
// the letters again later keeps the order of each key, and everything else flows on.
//
// The keys are saved after the letters and before the point moves: after a crash in between the event comes again, is refused
// again, and its letter has the same id. They are spread over buckets, so that one more key rewrites a few dozen, not all.

import { CdcError, type ChangeEvent, formatTableId, type PluginStore, type Row, type Value } from '../sdk/index.ts';
import type { Codecs } from './places.ts';

/** More keys than this are not an accident of some rows: the destination and the source do not fit together. */
export const MAX_PARKED_KEYS = 10_000;
const BUCKETS = 256;

/** The event that a key waits behind. */
export interface ParkedEvent {
  readonly id: string;
  readonly source: string;
  readonly partition: string;
  readonly position: string;
  readonly derived: number;
  /** A row of a snapshot: its position says nothing about what is older. */
  readonly snapshot: boolean;
}

/** Where a lane keeps them; no plugin can have this name. */
export const laneStore = (lane: string): string => `lane:${lane}`;

export class ParkedKeys {
  readonly #store: PluginStore;
  readonly #codecs: Codecs;
  readonly #buckets = Array.from({ length: BUCKETS }, () => new Map<string, ParkedEvent>());
  #loading: Promise<void> | null = null;
  #size = 0;
  /** How many parked keys each table has: most tables have none, and their events are not looked at. */
  readonly #tables = new Map<string, number>();
  readonly #changed = new Set<number>();
  /** Whose load let keys go → what they waited behind: until that load is stored, a restart must find them parked. */
  readonly #letGo = new Map<object, Map<string, ParkedEvent>>();

  constructor(store: PluginStore, codecs: Codecs) {
    this.#store = store;
    this.#codecs = codecs;
  }

  get size(): number {
    return this.#size;
  }

  /** Once, however many workers share the keys. */
  async load(): Promise<void> {
    this.#loading ??= this.#load();
    try {
      await this.#loading;
    } catch (error) {
      this.#loading = null;
      throw error;
    }
  }

  async #load(): Promise<void> {
    for (let n = 0; n < BUCKETS; n++) {
      const bytes = await this.#store.get(nameOf(n));
      if (bytes === null) continue;
      const saved = JSON.parse(Buffer.from(bytes).toString()) as { readonly [key: string]: ParkedEvent };
      for (const [key, event] of Object.entries(saved)) this.#put(key, event);
    }
  }

  /** Writes what has changed since the last call that succeeded. */
  async save(): Promise<void> {
    for (const n of [...this.#changed]) {
      const bucket = new Map(this.#buckets[n]);
      for (const keys of this.#letGo.values()) for (const [key, event] of keys) if (bucketOf(key) === n) bucket.set(key, event);
      await this.#store.set(nameOf(n), Buffer.from(JSON.stringify(Object.fromEntries(bucket))));
      this.#changed.delete(n);
    }
  }

  /**
   * The event that this one must wait behind. `null`: none, or the event is older than that: after a restart a destination
   * without a point gets again what it has.
   */
  blocking(event: ChangeEvent): ParkedEvent | null {
    if (!this.#tables.has(tableOf(event))) return null;
    for (const key of keysOf(event)) {
      const parked = this.#bucket(key).get(key);
      if (parked !== undefined && !this.#isOlder(event, parked)) return parked;
    }
    return null;
  }

  /** Keys of this event wait from now on behind `by`. Throws `DLQ_TOO_MANY_KEYS`. */
  park(event: ChangeEvent, by: ParkedEvent = parkedEventOf(event)): void {
    for (const key of keysOf(event)) {
      if (this.#bucket(key).has(key)) continue;
      if (this.#size >= MAX_PARKED_KEYS) throw tooMany();
      this.#put(key, by);
      this.#changed.add(bucketOf(key));
    }
  }

  /** The row is whole again at the destination; `by`: as soon as that has stored its load, see `settle`. */
  release(event: ChangeEvent, by: object | null = null): void {
    if (this.#tables.has(tableOf(event))) for (const key of keysOf(event)) this.#delete(key, by);
  }

  /** The table is empty at the destination, as soon as `by` has stored its load: what comes from here on begins anew. */
  releaseTable(event: ChangeEvent, by: object): void {
    const prefix = `${tableOf(event)} `;
    if (!this.#tables.has(tableOf(event))) return;
    for (const bucket of this.#buckets) for (const key of [...bucket.keys()]) if (key.startsWith(prefix)) this.#delete(key, by);
  }

  /** The truncate did not come to pass: what it has let go waits again, behind what it waited for. */
  restoreTable(event: ChangeEvent, by: object): void {
    const kept = this.#letGo.get(by),
      prefix = `${tableOf(event)} `;
    for (const [key, parked] of kept ?? []) {
      if (!key.startsWith(prefix)) continue;
      kept?.delete(key);
      if (this.#bucket(key).has(key)) this.#bucket(key).set(key, parked);
      else this.#put(key, parked);
      this.#changed.add(bucketOf(key));
    }
  }

  /** The load is stored: what it has let go is no longer parked in the store after the next `save`. */
  settle(by: object): void {
    for (const key of this.#letGo.get(by)?.keys() ?? []) this.#changed.add(bucketOf(key));
    this.#letGo.delete(by);
  }

  #bucket(key: string): Map<string, ParkedEvent> {
    return this.#buckets[bucketOf(key)] as Map<string, ParkedEvent>;
  }

  #put(key: string, event: ParkedEvent): void {
    const table = tableOfKey(key);
    this.#bucket(key).set(key, event);
    this.#size++;
    this.#tables.set(table, (this.#tables.get(table) ?? 0) + 1);
  }

  #delete(key: string, by: object | null): void {
    const event = this.#bucket(key).get(key);
    if (event === undefined) return;
    this.#bucket(key).delete(key);
    if (by !== null) this.#keep(key, event, by);
    this.#size--;
    const table = tableOfKey(key),
      left = (this.#tables.get(table) ?? 1) - 1;
    if (left === 0) this.#tables.delete(table);
    else this.#tables.set(table, left);
    this.#changed.add(bucketOf(key));
  }

  /** The first one counts: a load may let a key go, park it again and let it go again. */
  #keep(key: string, event: ParkedEvent, by: object): void {
    const kept = this.#letGo.get(by) ?? new Map<string, ParkedEvent>();
    if (!kept.has(key)) kept.set(key, event);
    this.#letGo.set(by, kept);
  }

  #isOlder(event: ChangeEvent, parked: ParkedEvent): boolean {
    const codec = this.#codecs[event.source];
    if (codec === undefined || event.source !== parked.source || event.partition !== parked.partition) return false;
    if (parked.snapshot || event.snapshot !== false) return false;
    const at = parked.position as ChangeEvent['position'];
    if (event.position === at) return event.derived < parked.derived;
    return codec.covers(at, event.position) && !codec.covers(event.position, at);
  }
}

export function parkedEventOf({ id, source, partition, position, derived, snapshot }: ChangeEvent): ParkedEvent {
  return { id, source, partition, position, derived, snapshot: snapshot !== false };
}

/** Does the event say all of its row, so that nothing before it matters? */
export function isWholeRow(event: ChangeEvent): boolean {
  if (event.oldKey !== null) return false;
  return event.op === 'd' || (!event.incomplete && (event.op === 'c' || event.op === 'u' || event.op === 'r'));
}

const tableOf = ({ source, table }: ChangeEvent): string => encodeURIComponent(`${source}/${formatTableId(table.id)}`);
const tableOfKey = (key: string): string => key.slice(0, key.indexOf(' '));

/** The key of an event, and the one its row had before. None for tables without key, truncates and messages. */
function keysOf(event: ChangeEvent): string[] {
  if (event.op === 't' || event.op === 'm' || event.op === 's') return [];
  const table = tableOf(event);
  return [event.oldKey, event.key].flatMap((key) => (key === null ? [] : [`${table} ${keyText(key)}`]));
}

/** Another text for each other key: `{"id":"7"}` is not `{"id":7}`, and neither is `{"id":{"n":"7"}}`, the bigint. */
function keyText(key: Row): string {
  return JSON.stringify(key, (_, value: Value) => {
    if (typeof value === 'bigint') return { n: String(value) };
    return value instanceof Uint8Array ? { b: Buffer.from(value).toString('base64') } : value;
  });
}

/** FNV-1a, 32 bits. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}
const nameOf = (bucket: number): string => `parked-keys-${bucket}`;

function tooMany(): CdcError {
  return new CdcError('DLQ_TOO_MANY_KEYS', `more than ${MAX_PARKED_KEYS} keys have events in the dead letter queue`, {
    fix: 'Find out why the destination refuses them, and send the dead letters again; or set error_handling.parked_keys to pass.',
  });
}
