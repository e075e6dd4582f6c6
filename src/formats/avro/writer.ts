// Our values → Avro bytes, by a schema: given by the user, or made of a table (tables.ts). A value that a type cannot hold as it is
// throws `Unfit` (invariant 6): nothing is rounded, cut or turned into text.

import { JsonText, type Row, type Value } from '../../sdk/index.ts';
import { stringifyJson } from '../json-lossless.ts';
import { Unfit, unfit } from '../unfit.ts';
import { type Sink, writeBoolean, writeBytes, writeDouble, writeFloat, writeLong, writeString } from './binary.ts';
import { countOf } from './counts.ts';
import { unscaledBytes } from './decimals.ts';
import type { AvroField, AvroNotes, AvroRecord, AvroType } from './schema.ts';

export type Writer = (out: Sink, value: Value) => void;

export function writerOf(type: AvroType, made = new Map<AvroType, Writer>()): Writer {
  const known = made.get(type);
  if (known !== undefined) return known;
  let writer: Writer | null = null;
  made.set(type, (out, value) => (writer as Writer)(out, value));
  writer = make(type, made);
  made.set(type, writer);
  return writer;
}

function make(type: AvroType, made: Map<AvroType, Writer>): Writer {
  switch (type.kind) {
    case 'null':
      return (_out, value) => {
        if (value !== null) throw unfit('null', value);
      };
    case 'boolean':
      return (out, value) => {
        if (typeof value !== 'boolean') throw unfit('a boolean', value);
        writeBoolean(out, value);
      };
    case 'int':
      return wholeWriter(type.notes, -0x8000_0000n, 0x7fff_ffffn);
    case 'long':
      return wholeWriter(type.notes, -0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn);
    case 'float':
      return (out, value) => writeFloat(out, floating(value));
    case 'double':
      return (out, value) => writeDouble(out, floating(value));
    case 'bytes':
      return bytesWriter(type.notes);
    case 'fixed':
      return fixedWriter(type.size, type.notes);
    case 'string':
      return (out, value) => writeString(out, textOf(value));
    case 'enum':
      return enumWriter(type.symbols);
    case 'array':
      return arrayWriter(writerOf(type.items, made));
    case 'map':
      return mapWriter(writerOf(type.values, made));
    case 'union':
      return unionWriter(type.branches, made);
    case 'record':
      return recordWriter(type, made);
  }
}

/** Text, or what has one text only: a JSON document. */
function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof JsonText) return value.text;
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) return stringifyJson(value);
  throw unfit('a text', value);
}

function floating(value: Value): number {
  if (typeof value === 'number') return value;
  throw unfit('a number', value);
}

function wholeWriter(notes: AvroNotes, least: bigint, most: bigint): Writer {
  const count = countOf(notes),
    // Exact in both forms, or farther than any number that is.
    low = Math.max(Number(least), Number.MIN_SAFE_INTEGER),
    high = Math.min(Number(most), Number.MAX_SAFE_INTEGER);
  return (out, value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) {
      writeLong(out, value);
      return;
    }
    const n = typeof value === 'string' && count !== null ? count(value) : whole(value);
    if (n === null) throw new Unfit('', `expected ${notes.logicalType ?? notes.connectName}, got a text that is none`);
    if (n < least || n > most) throw new Unfit('', 'the number has more bits than its type');
    writeLong(out, n);
  };
}

function whole(value: Value): number | bigint {
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) return value;
  // Sources may deliver 64-bit integers as text.
  if (typeof value === 'string' && /^-?(0|[1-9]\d{0,18})$/.test(value)) return BigInt(value);
  throw unfit('a whole number', value);
}

function bytesWriter({ logicalType, scale }: AvroNotes): Writer {
  // Bytes are unscaled already.
  if (logicalType === 'decimal')
    return (out, value) => writeBytes(out, value instanceof Uint8Array ? value : unscaledBytes(value, scale ?? 0));
  return (out, value) => {
    if (!(value instanceof Uint8Array)) throw unfit('bytes', value);
    writeBytes(out, value);
  };
}

function fixedWriter(size: number, { logicalType, scale }: AvroNotes): Writer {
  return (out, value) => {
    if (logicalType !== 'decimal') {
      if (!(value instanceof Uint8Array) || value.length !== size) throw unfit(`${size} bytes`, value);
      out.raw(value);
      return;
    }
    const bytes = unscaledBytes(value, scale ?? 0);
    if (bytes.length > size) throw new Unfit('', 'the decimal has more digits than its type');
    const whole = Buffer.alloc(size, ((bytes[0] as number) & 0x80) === 0 ? 0 : 0xff);
    whole.set(bytes, size - bytes.length);
    out.raw(whole);
  };
}

function enumWriter(symbols: readonly string[]): Writer {
  return (out, value) => {
    const index = typeof value === 'string' ? symbols.indexOf(value) : -1;
    if (index < 0) throw new Unfit('', 'the value is none of the symbols of its enum');
    writeLong(out, index);
  };
}

function arrayWriter(item: Writer): Writer {
  return (out, value) => {
    if (!Array.isArray(value)) throw unfit('an array', value);
    if (value.length > 0) writeLong(out, value.length);
    for (const one of value as readonly Value[]) item(out, one);
    writeLong(out, 0);
  };
}

function mapWriter(item: Writer): Writer {
  return (out, value) => {
    const entries = Object.entries(objectOf(value));
    if (entries.length > 0) writeLong(out, entries.length);
    for (const [name, one] of entries) {
      writeString(out, name);
      item(out, one);
    }
    writeLong(out, 0);
  };
}

function objectOf(value: Value): Row {
  if (value instanceof JsonText) return objectOf(value.parse() as Value);
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) return value as Row;
  throw unfit('an object', value);
}

/** The first branch that takes the value. Nearly all unions are null and one other. */
function unionWriter(branches: readonly AvroType[], made: Map<AvroType, Writer>): Writer {
  const writers = branches.map((branch) => writerOf(branch, made)),
    nullAt = branches.findIndex((branch) => branch.kind === 'null');
  const others = writers.map((writer, index) => ({ writer, index })).filter(({ index }) => index !== nullAt);
  const [only] = others;
  if (nullAt >= 0 && only !== undefined && others.length === 1)
    return (out, value) => {
      if (value === null) {
        writeLong(out, nullAt);
        return;
      }
      writeLong(out, only.index);
      only.writer(out, value);
    };
  return (out, value) => {
    if (value === null) {
      if (nullAt < 0) throw unfit('a value', null);
      writeLong(out, nullAt);
      return;
    }
    // From the start of the record: what was begun may move to another chunk.
    const written = out.at - out.start;
    let first: Unfit | null = null;
    for (const { writer, index } of others) {
      try {
        writeLong(out, index);
        writer(out, value);
        return;
      } catch (error) {
        if (!(error instanceof Unfit) || others.length === 1) throw error;
        first ??= error;
        out.at = out.start + written;
      }
    }
    throw first ?? unfit('null', value);
  };
}

function recordWriter(record: AvroRecord, made: Map<AvroType, Writer>): Writer {
  const fields = record.fields.map((field) => ({ ...field, write: writerOf(field.type, made), absent: absentOf(field) }));
  const names = new Set(fields.map((f) => f.column));
  return (out, value) => {
    const row = objectOf(value);
    let found = 0;
    for (const { name, column, write, absent } of fields) {
      const own = Object.hasOwn(row, column) ? row[column] : undefined;
      if (own !== undefined) found++;
      const written = own === undefined ? absent : own;
      if (written === undefined) throw new Unfit(name, 'the row comes without it, and the schema has no default');
      try {
        write(out, written);
      } catch (error) {
        throw error instanceof Unfit ? error.within(name) : error;
      }
    }
    let all = 0;
    for (const _name in row) all++;
    if (found === all) return;
    // Invariant 3: what the schema has no field for would vanish.
    const extra = Object.keys(row).find((name) => !names.has(name) && row[name] !== undefined);
    if (extra !== undefined) throw new Unfit(extra, 'the schema has no such field');
  };
}

/** What stands for a field that the row lacks: the default of the schema, in our values. */
function absentOf({ type, default: fallback }: AvroField): Value | undefined {
  if (fallback === undefined) return undefined;
  const first = type.kind === 'union' ? type.branches[0] : type;
  // The default of bytes is a text of their codes.
  if (typeof fallback === 'string' && (first?.kind === 'bytes' || first?.kind === 'fixed') && first.notes.logicalType === null)
    return new Uint8Array(Buffer.from(fallback, 'latin1'));
  return fallback as Value;
}
