// The events of one record as bytes and back without loss. Pure. What events of a batch have in common stands once: column
// names per shape of row, the table by its number in the segment's dictionary, source and partition in the record's summary.
// Rows are decoded when somebody looks at them.

import {
  ChangeEvent,
  type LazyPosition,
  type Op,
  type Position,
  type Row,
  RowImage,
  type SnapshotMark,
  type TableSchema,
  TextImage,
  type Value,
} from '../../sdk/index.ts';
import { FrameReader, type FrameWriter } from './frame.ts';
import { writeTextRow } from './text-row-codec.ts';
import { readNumber, readValue, setOwn, writeNumber, writeValue } from './value-codec.ts';

const OPS: readonly Op[] = ['c', 'u', 'd', 'r', 't', 'm', 's'];
// First byte of an event: the operation in three bits, then
const OTHER_TABLE = 0x08,
  OTHER_ORIGIN = 0x10,
  INCOMPLETE = 0x20,
  BEFORE = 0x40,
  AFTER = 0x80;
// and the second:
const TRANSACTION = 0x01,
  KEY = 0x02,
  SNAPSHOT = 0x04,
  SAME_SNAPSHOT = 0x08,
  HEADERS = 0x10,
  EXTRAS = 0x20,
  DERIVED = 0x40,
  NULL_KEY = 0x80;
/** Both at once say that the event is of no snapshot, and that its position stands in the binary part. */
const BINARY_POSITION = SNAPSHOT | SAME_SNAPSHOT;
/** Room for the lengths before a row, with which a reader skips it. */
const ROW_HEAD_BYTES = 8;

export interface Origin {
  readonly source: string;
  readonly partition: string;
}

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

/** The events of one record. `tables` are those of the segment's dictionary which the record uses. */
export function decodeEvents(bytes: Buffer, origin: Origin, tables: (number: number) => TableSchema): ChangeEvent[] {
  const r = new FrameReader(bytes);
  const shapesAt = r.uint32(),
    shapesTextAt = r.uint32(),
    rows = new Rows(r, shapesAt, shapesTextAt);
  r.at = 8;
  const events: ChangeEvent[] = [];
  let previous: ChangeEvent | null = null;
  for (let left = r.varint(); left > 0; left--) {
    previous = decodeEvent(r, rows, origin, tables, previous);
    events.push(previous);
  }
  return events;
}

function decodeEvent(
  r: FrameReader,
  rows: Rows,
  origin: Origin,
  tables: (number: number) => TableSchema,
  previous: ChangeEvent | null,
): ChangeEvent {
  const first = r.byte(),
    second = r.byte();
  const table = first & OTHER_TABLE ? tables(r.varint()) : (previous as ChangeEvent).table;
  let { source, partition } = origin;
  if (first & OTHER_ORIGIN) {
    source = r.string();
    partition = r.string();
  }
  const isBinary = (second & BINARY_POSITION) === BINARY_POSITION,
    position = (isBinary ? r.utf8(r.varint()) : r.string()) as Position,
    sourceTsMs = readNumber(r);
  const transaction = second & TRANSACTION ? decodeTransaction(r, previous?.transaction ?? null) : null;
  const key = second & KEY ? rows.read() : second & NULL_KEY ? null : undefined;
  const snapshot: SnapshotMark = isBinary
    ? false
    : second & SNAPSHOT
      ? (readValue(r) as unknown as SnapshotMark)
      : second & SAME_SNAPSHOT
        ? (previous as ChangeEvent).snapshot
        : false;
  const headers = second & HEADERS ? (readValue(r) as Record<string, string>) : null;
  const [message, schemaChange, raw] = second & EXTRAS ? (readValue(r) as unknown as Extras) : NO_EXTRAS;
  const derived = second & DERIVED ? readNumber(r) : 0;
  const before = first & BEFORE ? rows.skip() : null,
    after = first & AFTER ? rows.skip() : null;
  const op = OPS[first & 0x07] as Op,
    incomplete = (first & INCOMPLETE) !== 0;
  const init = {
    op,
    table,
    source,
    partition,
    position,
    sourceTsMs,
    before,
    after,
    transaction,
    snapshot,
    incomplete,
    headers,
    message,
    schemaChange,
    raw,
    derived,
  };
  return new ChangeEvent(key === undefined ? init : { ...init, key });
}

type Extras = readonly [ChangeEvent['message'], ChangeEvent['schemaChange'], ChangeEvent['raw']];
const NO_EXTRAS: Extras = [null, null, null];

function decodeTransaction(r: FrameReader, previous: ChangeEvent['transaction']): NonNullable<ChangeEvent['transaction']> {
  const bits = r.byte(),
    order = readNumber(r),
    collectionOrder = readNumber(r),
    last = (bits & 2) !== 0;
  if (bits & 1 && previous !== null) return { id: previous.id, order, collectionOrder, commitTsMs: previous.commitTsMs, last };
  return { id: r.string(), order, collectionOrder, commitTsMs: readNumber(r), last };
}

/** The rows of one record: all images share its bytes. */
class Rows {
  readonly #r: FrameReader;
  readonly #shapes: (readonly string[])[] = [];
  /** Of each shape: is there a column that a plain assignment would lose? */
  readonly #plain: boolean[] = [];

  constructor(r: FrameReader, at: number, textAt: number) {
    this.#r = r;
    r.at = at;
    r.textAt = textAt;
    for (let left = r.varint(); left > 0; left--) {
      const names = Array.from({ length: r.varint() }, () => r.string());
      this.#shapes.push(names);
      this.#plain.push(!names.includes('__proto__'));
    }
    r.textAt = 0;
  }

  /** The row at which the reader stands. */
  read(): Row {
    const r = this.#r,
      shape = r.varint(),
      names = this.#shapes[shape] as readonly string[],
      row: Row = {};
    if (this.#plain[shape]) for (let i = 0; i < names.length; i++) row[names[i] as string] = readValue(r);
    else for (const name of names) setOwn(row, name, readValue(r));
    return row;
  }

  /** An image of the row at which the reader stands; the reader goes on behind it. */
  skip(): RowImage {
    const r = this.#r,
      bytes = r.uint32(),
      texts = r.uint32();
    const image = new LogRow(this, r.at, r.textAt);
    r.at += bytes;
    r.textAt += texts;
    return image;
  }

  readAt(at: number, textAt: number): Row {
    this.#r.at = at;
    this.#r.textAt = textAt;
    return this.read();
  }

  namesAt(at: number): readonly string[] {
    this.#r.at = at;
    return this.#shapes[this.#r.varint()] as readonly string[];
  }
}

class LogRow extends RowImage {
  readonly #rows: Rows;
  readonly #at: number;
  readonly #textAt: number;
  /** For `column` alone: what `decode` gives out belongs to its caller. */
  #row: Row | null = null;

  constructor(rows: Rows, at: number, textAt: number) {
    super();
    this.#rows = rows;
    this.#at = at;
    this.#textAt = textAt;
  }

  decode(): Row {
    return this.#rows.readAt(this.#at, this.#textAt);
  }
  column(name: string): Value | undefined {
    this.#row ??= this.decode();
    return Object.hasOwn(this.#row, name) ? this.#row[name] : undefined;
  }
  override columns(): readonly string[] {
    return this.#rows.namesAt(this.#at);
  }
}
