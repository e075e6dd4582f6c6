// The events of one record from its bytes, laid out as event-layout.ts says. Rows are decoded when somebody looks at them.

import {
  ChangeEvent,
  type Op,
  type Position,
  type Row,
  RowImage,
  type SnapshotMark,
  type TableSchema,
  type Value,
} from '../../sdk/index.ts';
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
import { FrameReader } from './frame.ts';
import { readNumber, readValue, setOwn } from './value-codec.ts';

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
