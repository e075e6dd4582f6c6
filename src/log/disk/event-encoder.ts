// The events of one record as bytes, laid out as event-layout.ts says. What is undecoded is written from its bytes.

import { type ChangeEvent, type LazyPosition, type Row, type SnapshotMark, type TableSchema, TextImage } from '../../sdk/index.ts';
import {
  AFTER,
  BEFORE,
  BINARY_POSITION,
  DERIVED,
  EXTRAS,
  HEADERS,
  INCOMPLETE,
  KEY,
  NULL_KEY,
  OPS,
  type Origin,
  OTHER_ORIGIN,
  OTHER_TABLE,
  SAME_SNAPSHOT,
  SNAPSHOT,
  TRANSACTION,
} from './event-layout.ts';
import type { FrameWriter } from './frame.ts';
import { writeTextRow } from './text-row-codec.ts';
import { writeNumber, writeValue } from './value-codec.ts';

/** Room for the lengths before a row, with which a reader skips it. */
const ROW_HEAD_BYTES = 8;

/** Column names in the order of the row. */
interface Shape {
  readonly names: readonly string[];
  /** Number in the record that is being written. */
  id: number;
  /** The record it has that number in. */
  record: number;
}

/** Encodes the events of one record after the other. Not to be used by two at once. */
export class EventEncoder {
  readonly #w: FrameWriter;
  readonly #shapes = new Map<string, Shape>();
  /** Of the last rows: most are like the one before of their kind. */
  readonly #recent: { [kind: string]: Shape | undefined } = { after: undefined, before: undefined, other: undefined };
  #lastNames: { readonly names: readonly string[]; readonly shape: Shape } | null = null;
  #used: Shape[] = [];
  #record = 0;

  constructor(writer: FrameWriter) {
    this.#w = writer;
  }

  encode(events: readonly ChangeEvent[], origin: Origin, tableNumber: (table: TableSchema) => number): Buffer {
    const w = this.#w;
    w.reset();
    this.#record++;
    this.#used = [];
    // Shapes of tables that are gone are let go of now and then.
    if (this.#shapes.size > 10_000) {
      this.#shapes.clear();
      this.#lastNames = null;
    }
    w.uint32(0);
    w.uint32(0);
    w.varint(events.length);
    let previous: ChangeEvent | null = null;
    for (const event of events) {
      this.#event(event, previous, origin, tableNumber);
      previous = event;
    }
    w.buffer.writeUInt32LE(w.at, 0);
    w.buffer.writeUInt32LE(w.text.length, 4);
    w.varint(this.#used.length);
    for (const { names } of this.#used) {
      w.varint(names.length);
      for (const name of names) w.string(name);
    }
    return w.finish();
  }

  #event(event: ChangeEvent, previous: ChangeEvent | null, origin: Origin, tableNumber: (table: TableSchema) => number): void {
    const w = this.#w;
    // What is undecoded stays so: lanes write it on from its bytes.
    const { op, table, transaction, snapshot, message, schemaChange, raw } = event,
      lazy = snapshot === false ? event.lazyPosition() : null;
    const otherTable = previous === null || table !== previous.table,
      otherOrigin = event.source !== origin.source || event.partition !== origin.partition,
      sameSnapshot = snapshot !== false && previous !== null && sameMark(snapshot, previous.snapshot),
      key = explicitKey(event),
      extras = message !== null || schemaChange !== null || raw !== null;
    w.byte(
      OPS.indexOf(op) |
        (otherTable ? OTHER_TABLE : 0) |
        (otherOrigin ? OTHER_ORIGIN : 0) |
        (event.incomplete ? INCOMPLETE : 0) |
        (event.has('before') ? BEFORE : 0) |
        (event.has('after') ? AFTER : 0),
    );
    w.byte(
      (transaction !== null ? TRANSACTION : 0) |
        (key === undefined ? 0 : key === null ? NULL_KEY : KEY) |
        (lazy !== null ? BINARY_POSITION : snapshot === false ? 0 : sameSnapshot ? SAME_SNAPSHOT : SNAPSHOT) |
        (event.headers !== null ? HEADERS : 0) |
        (extras ? EXTRAS : 0) |
        (event.derived !== 0 ? DERIVED : 0),
    );
    if (otherTable) w.varint(tableNumber(table));
    if (otherOrigin) {
      w.string(event.source);
      w.string(event.partition);
    }
    if (lazy !== null) this.#position(lazy);
    else w.string(event.position);
    writeNumber(w, event.sourceTsMs);
    if (transaction !== null) this.#transaction(transaction, previous?.transaction ?? null);
    if (key !== undefined && key !== null) this.#row(key, 'other');
    if (snapshot !== false && !sameSnapshot) writeValue(w, snapshot);
    if (event.headers !== null) writeValue(w, event.headers);
    if (extras) writeValue(w, [message, schemaChange, raw]);
    if (event.derived !== 0) writeNumber(w, event.derived);
    if (event.has('before')) this.#side(event, 'before');
    if (event.has('after')) this.#side(event, 'after');
  }

  #position(lazy: LazyPosition): void {
    const w = this.#w;
    w.varint(lazy.length);
    w.ensure(lazy.length);
    lazy.put(w.buffer, w.at);
    w.at += lazy.length;
  }

  #transaction(t: NonNullable<ChangeEvent['transaction']>, previous: ChangeEvent['transaction']): void {
    const w = this.#w;
    const same = previous !== null && previous.id === t.id && previous.commitTsMs === t.commitTsMs;
    w.byte((same ? 1 : 0) | (t.last ? 2 : 0));
    writeNumber(w, t.order);
    writeNumber(w, t.collectionOrder);
    if (same) return;
    w.string(t.id);
    writeNumber(w, t.commitTsMs);
  }

  /** With its lengths before it. */
  #side(event: ChangeEvent, side: 'before' | 'after'): void {
    const w = this.#w,
      image = event.image(side);
    w.ensure(ROW_HEAD_BYTES);
    const head = w.at,
      textAt = w.text.length;
    w.at += ROW_HEAD_BYTES;
    if (image instanceof TextImage) {
      w.varint(this.#number(this.#shapeOf(image.columns())));
      writeTextRow(w, image);
    } else this.#row(event[side] as Row, side);
    w.buffer.writeUInt32LE(w.at - head - ROW_HEAD_BYTES, head);
    w.buffer.writeUInt32LE(w.text.length - textAt, head + 4);
  }

  #row(row: Row, kind: string): void {
    const w = this.#w,
      shape = this.#recent[kind];
    if (shape !== undefined) {
      const { at, text } = w;
      w.varint(this.#number(shape));
      if (writeAs(w, row, shape.names)) return;
      w.at = at;
      w.text = text;
    }
    const other = this.#shapeOf(Object.keys(row));
    this.#recent[kind] = other;
    w.varint(this.#number(other));
    for (const name of other.names) writeValue(w, row[name]);
  }

  #shapeOf(names: readonly string[]): Shape {
    // Rows of one layout share their list of names.
    if (names === this.#lastNames?.names) return this.#lastNames.shape;
    const id = JSON.stringify(names);
    let shape = this.#shapes.get(id);
    if (shape === undefined) {
      shape = { names, id: 0, record: 0 };
      this.#shapes.set(id, shape);
    }
    this.#lastNames = { names, shape };
    return shape;
  }

  #number(shape: Shape): number {
    if (shape.record !== this.#record) {
      shape.record = this.#record;
      shape.id = this.#used.length;
      this.#used.push(shape);
    }
    return shape.id;
  }
}

/** Writes the values if the row has just these columns in this order. Half a row may be written when it has not. */
function writeAs(w: FrameWriter, row: Row, names: readonly string[]): boolean {
  let i = 0;
  for (const name in row) {
    if (names[i++] !== name) return false;
    writeValue(w, row[name]);
  }
  return i === names.length;
}

/** What `event.key` holds and cannot be taken from the rows; `undefined` when it can. */
function explicitKey(event: ChangeEvent): Row | null | undefined {
  // Nobody has asked for the key or set it: it will be taken from the row.
  if (event.keyImage() !== null) return undefined;
  const key = event.key,
    row = event.after ?? event.before,
    names = event.table.key;
  if (key === null) return derivedIsNull(row, names) ? undefined : null;
  if (row === null || names.length === 0) return key;
  let i = 0;
  for (const name in key) {
    const own = names[i++];
    if (own !== name || !Object.hasOwn(row, name) || !Object.is(row[name], key[name])) return key;
  }
  return i === names.length ? undefined : key;
}

function derivedIsNull(row: Row | null, names: readonly string[]): boolean {
  return names.length === 0 || row === null || names.some((name) => !Object.hasOwn(row, name) || row[name] === undefined);
}

function sameMark(a: Exclude<SnapshotMark, false>, b: SnapshotMark): boolean {
  if (a === b) return true;
  return b !== false && a.run === b.run && a.table === b.table && a.chunk === b.chunk && a.place === b.place;
}
