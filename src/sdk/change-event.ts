// The change event: one row-level change on its way from a source to its destinations. One class for all sources, so that
// the hot path stays monomorphic; rows are decoded only when somebody looks at them.

import type { LazyPosition, Position, SnapshotProgress } from './position.ts';
import type { TableSchema } from './table-schema.ts';
import { sameTexts, TextImage } from './text-image.ts';
import { type Row, RowImage, type Value } from './value.ts';

/** create, update, delete, read (snapshot), truncate, message, schema change */
export type Op = 'c' | 'u' | 'd' | 'r' | 't' | 'm' | 's';

/** Transaction marks, where the source has them. */
export interface Transaction {
  readonly id: string;
  /** 1 for the first event of the transaction. */
  readonly order: number;
  /** 1 for the first event of this table in the transaction. */
  readonly collectionOrder: number;
  /** Milliseconds since the epoch. */
  readonly commitTsMs: number;
  /** The last event of its transaction. */
  readonly last: boolean;
}

/** Which snapshot a `r` event belongs to; `false` on streamed events. */
export type SnapshotMark =
  | false
  | {
      readonly run: string;
      /** The table as `SnapshotProgress.table` names it. */
      readonly table: string;
      readonly chunk: number;
      readonly place: 'first' | 'first_in_data_collection' | 'true' | 'last_in_data_collection' | 'last';
      /** Id of the newest transaction that the row may be of, where the source has such ids. */
      readonly transaction?: string;
    };

/** A logical message written to the source's log by an application (op `m`). */
export interface LogicalMessage {
  readonly prefix: string;
  readonly content: Uint8Array;
  readonly transactional: boolean;
}

/** A change of a table's schema (op `s`): `event.table` is the schema from here on. */
export interface SchemaChange {
  readonly kind: 'create' | 'alter' | 'drop';
  readonly previous: TableSchema | null;
  readonly ddl: string | null;
}

/** The record of a broker as it was consumed. Times in milliseconds since the epoch. */
export interface RawMessage {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
}

export interface ChangeEventInit {
  readonly op: Op;
  readonly table: TableSchema;
  readonly source: string;
  readonly partition: string;
  readonly position: Position | LazyPosition;
  /** Commit time at the source, milliseconds since the epoch. */
  readonly sourceTsMs: number;
  readonly before?: Row | RowImage | null;
  readonly after?: Row | RowImage | null;
  /** Only when it cannot be taken from `after` or `before` by the table's key columns. */
  readonly key?: Row | null;
  readonly transaction?: Transaction | null;
  readonly snapshot?: SnapshotMark;
  /** `after` lacks columns that the row has (unchanged TOAST, partial image). Sinks then update the present columns only. */
  readonly incomplete?: boolean;
  readonly headers?: Record<string, string> | null;
  readonly message?: LogicalMessage | null;
  readonly schemaChange?: SchemaChange | null;
  readonly raw?: RawMessage | null;
  readonly messageId?: string | null;
  readonly derived?: number;
}

type Side = 'before' | 'after';

/** Opaque: see `ChangeEvent.save`. */
export interface SavedRows {
  readonly key: Row | null | undefined;
  readonly before: Row | RowImage | null;
  readonly after: Row | RowImage | null;
  readonly headers: Record<string, string> | null;
}

const copyRow = (row: Row | RowImage | null): Row | RowImage | null => (row === null || row instanceof RowImage ? row : { ...row });

/**
 * One change. What says where it comes from is read-only; `key`, `before`, `after` and `headers` may be changed by
 * transformers until the event is in the change log. Lane transformers get copies.
 */
export class ChangeEvent {
  readonly op: Op;
  readonly table: TableSchema;
  readonly source: string;
  readonly partition: string;
  readonly sourceTsMs: number;
  readonly transaction: Transaction | null;
  readonly snapshot: SnapshotMark;
  readonly incomplete: boolean;
  readonly message: LogicalMessage | null;
  readonly schemaChange: SchemaChange | null;
  readonly raw: RawMessage | null;
  /**
   * Of a queue: what stays the same when the message is delivered again, unlike its receipt; `null` when the broker or the
   * producer gives none. By it the deduplication window knows repeats.
   */
  readonly messageId: string | null;
  /** 0 for an event of the source; n for the n-th event that transformers added for it. */
  readonly derived: number;
  headers: Record<string, string> | null;
  #position: Position | LazyPosition;
  #key: Row | null | undefined;
  #before: Row | RowImage | null;
  #after: Row | RowImage | null;

  constructor(init: ChangeEventInit) {
    this.op = init.op;
    this.table = init.table;
    this.source = init.source;
    this.partition = init.partition;
    this.sourceTsMs = init.sourceTsMs;
    this.transaction = init.transaction ?? null;
    this.snapshot = init.snapshot ?? false;
    this.incomplete = init.incomplete ?? false;
    this.message = init.message ?? null;
    this.schemaChange = init.schemaChange ?? null;
    this.raw = init.raw ?? null;
    this.messageId = init.messageId ?? null;
    this.derived = init.derived ?? 0;
    this.headers = init.headers ?? null;
    this.#position = init.position;
    this.#key = init.key;
    this.#before = init.before ?? null;
    this.#after = init.after ?? null;
  }

  /** Unique per source event and partition, and independent of filters (invariant 2). */
  get position(): Position {
    if (typeof this.#position !== 'string') this.#position = this.#position.text();
    return this.#position;
  }

  /** The position as its source made it, while nobody has asked for its text; `null` otherwise. For encoders. */
  lazyPosition(): LazyPosition | null {
    return typeof this.#position === 'string' ? null : this.#position;
  }

  /** Stable across restarts: a repeat of the event has the same id. `orders-db/main/0000000000000042`, derived ones end in `.n`. */
  get id(): string {
    const id = `${this.source}/${this.partition}/${this.position}`;
    return this.derived === 0 ? id : `${id}.${this.derived}`;
  }

  /** The row before the change, as far as the source tells; `null` when there is none. */
  get before(): Row | null {
    if (this.#before instanceof RowImage) this.#before = this.#before.decode();
    return this.#before;
  }
  set before(row: Row | null) {
    this.#before = row;
  }

  /** The row after the change; `null` for deletes and truncates. */
  get after(): Row | null {
    if (this.#after instanceof RowImage) this.#after = this.#after.decode();
    return this.#after;
  }
  set after(row: Row | null) {
    this.#after = row;
  }

  /** Key columns and values (of the new row, for a change of key); `null` when the table has no key. */
  get key(): Row | null {
    if (this.#key === undefined) this.#key = keyOf(this, this.#after === null ? 'before' : 'after');
    return this.#key;
  }
  set key(row: Row | null) {
    this.#key = row;
  }

  /** The key the row had before, when this update moved it to another key; else `null`. */
  get oldKey(): Row | null {
    if (this.op !== 'u' || this.#before === null || this.#hasSameKeyText()) return null;
    const old = keyOf(this, 'before'),
      key = this.key;
    if (old === null || key === null) return null;
    for (const name of this.table.key) if (!sameValue(old[name], key[name])) return old;
    return null;
  }

  /** Nearly all updates leave the key alone: seen without decoding it. */
  #hasSameKeyText(): boolean {
    if (this.#key !== undefined || !(this.#before instanceof TextImage) || !(this.#after instanceof TextImage)) return false;
    return sameTexts(this.#before, this.#after, this.table.key);
  }

  /** Is there a row on that side? Without decoding it. */
  has(side: Side): boolean {
    return (side === 'after' ? this.#after : this.#before) !== null;
  }

  /** The row as its source sent it, while nobody has looked at it as a whole or changed it; `null` otherwise. For encoders. */
  image(side: Side): RowImage | null {
    const row = side === 'after' ? this.#after : this.#before;
    return row instanceof RowImage ? row : null;
  }

  /** The image that the key will be taken from, while nobody has asked for the key or set it; `null` otherwise. For encoders. */
  keyImage(): RowImage | null {
    return this.#key === undefined ? this.image(this.#after === null ? 'before' : 'after') : null;
  }

  /** One column, without decoding the others; `undefined` when absent. */
  get(side: Side, column: string): Value | undefined {
    const row = side === 'after' ? this.#after : this.#before;
    if (row === null) return undefined;
    if (row instanceof RowImage) return row.column(column);
    return Object.hasOwn(row, column) ? row[column] : undefined;
  }

  /** Names of the columns that are there, without decoding the row; empty when that side is `null`. */
  columns(side: Side): readonly string[] {
    const row = side === 'after' ? this.#after : this.#before;
    if (row === null) return [];
    return row instanceof RowImage ? row.columns() : Object.keys(row);
  }

  /** Sets one column. Does nothing when that side of the event is `null`. A key column changes the key with it. */
  replace(side: Side, column: string, value: Value): void {
    const image = this.image(side),
      patched = image instanceof TextImage ? image.with(column, value) : null;
    if (patched !== null) {
      if (side === 'after') this.#after = patched;
      else this.#before = patched;
      if (this.table.key.includes(column)) this.#key = undefined;
      return;
    }
    const row = side === 'after' ? this.after : this.before;
    if (row === null) return;
    setColumn(row, column, value);
    if (this.table.key.includes(column)) this.#key = undefined;
  }

  /** What transformers may change, to put back with `restore`. Rows still undecoded cost nothing here. */
  save(): SavedRows {
    return { key: this.#key, before: copyRow(this.#before), after: copyRow(this.#after), headers: this.headers && { ...this.headers } };
  }

  /** Puts back what `save` returned. Use each saved state once. */
  restore(saved: SavedRows): void {
    this.#key = saved.key;
    this.#before = saved.before;
    this.#after = saved.after;
    this.headers = saved.headers;
  }

  /** A copy whose rows may be changed without touching this event. Nested values are shared: replace them, do not edit. */
  copy(changes: Partial<ChangeEventInit> = {}): ChangeEvent {
    return new ChangeEvent({
      op: this.op,
      table: this.table,
      source: this.source,
      partition: this.partition,
      position: this.#position,
      sourceTsMs: this.sourceTsMs,
      transaction: this.transaction,
      snapshot: this.snapshot,
      incomplete: this.incomplete,
      message: this.message,
      schemaChange: this.schemaChange,
      raw: this.raw,
      messageId: this.messageId,
      derived: this.derived,
      headers: this.headers && { ...this.headers },
      // Images never change: a row that nobody looked at stays in its bytes.
      before: copyRow(this.#before),
      after: copyRow(this.#after),
      ...(this.#key === undefined ? {} : { key: this.#key && { ...this.#key } }),
      ...changes,
    });
  }
}

/** A plain assignment to a column of that name would set the prototype instead. */
function setColumn(row: Row, name: string, value: Value): void {
  if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
  else row[name] = value;
}

function keyOf(event: ChangeEvent, side: Side): Row | null {
  const names = event.table.key;
  if (names.length === 0) return null;
  const key: Row = {};
  for (const name of names) {
    const value = event.get(side, name);
    if (value === undefined) return null;
    setColumn(key, name, value);
  }
  return key;
}

/** Equality of two column values; byte arrays by content, arrays and JSON by structure. `0` and `-0` are equal, `NaN` equals itself. */
export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  }
  const x = Object.entries(a),
    y = Object.entries(b);
  return x.length === y.length && x.every(([k, v]) => Object.hasOwn(b, k) && sameValue(v, (b as Record<string, Value>)[k]));
}

/**
 * What a source hands over at once: at most `ctx.maxBatchEvents` events of one partition, and where to resume after them.
 * `events` may be empty: progress only. A batch with `r` events is one snapshot chunk and is never cut by a lane.
 */
export interface ChangeBatch {
  readonly events: ChangeEvent[];
  readonly source: string;
  readonly partition: string;
  /** Where to resume once the batch is done; covers every event of the batch. `null` keeps the partition where it stood. */
  readonly resume: Position | null;
  /** Estimate of the memory held, in bytes: what the bounds of the queues count. */
  readonly bytes: number;
  /** Snapshot progress that is reached with this batch, if it changed. */
  readonly snapshots?: readonly SnapshotProgress[];
}
