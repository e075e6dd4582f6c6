// Avro bytes → our values, by the schema they were written with. What each type becomes: `columnOf` in columns.ts.

import { logicalValue } from '../../envelope/debezium/decode-value.ts';
import { formatDecimal, integerOfBytes } from '../../envelope/decimal.ts';
import { dateOfDays, momentText, timeText } from '../../envelope/temporal.ts';
import { JsonText, type Row, type Value } from '../../sdk/index.ts';
import type { Bytes } from './binary.ts';
import type { AvroNotes, AvroRecord, AvroType } from './schema.ts';

export type Reader = (from: Bytes) => Value;

/** A hostile schema may hold itself: deeper values are refused. */
const MAX_DEPTH = 200;

let depth = 0;

/** The value of a whole message. */
export function readValue(reader: Reader, from: Bytes): Value {
  // One that failed has left it where it was.
  depth = 0;
  return reader(from);
}

export function readerOf(type: AvroType, made = new Map<AvroType, Reader>()): Reader {
  const known = made.get(type);
  if (known !== undefined) return known;
  // A record that holds itself finds this while it is being made.
  let reader: Reader | null = null;
  made.set(type, (from) => (reader as Reader)(from));
  reader = make(type, made);
  made.set(type, reader);
  return reader;
}

function make(type: AvroType, made: Map<AvroType, Reader>): Reader {
  switch (type.kind) {
    case 'null':
      return () => null;
    case 'boolean':
      return (from) => from.byte() !== 0;
    case 'int':
      return intReader(type.notes);
    case 'long':
      return longReader(type.notes);
    case 'float':
      return (from) => from.float();
    case 'double':
      return (from) => from.double();
    case 'bytes':
      return bytesReader(type.notes, (from) => from.take(from.small()));
    case 'fixed': {
      const { size } = type;
      return bytesReader(type.notes, (from) => from.take(size));
    }
    case 'string':
      return stringReader(type.notes);
    case 'enum': {
      const { symbols } = type;
      return (from) => at(symbols, from.small(), 'an enum has no such symbol');
    }
    case 'array': {
      const item = readerOf(type.items, made);
      return (from) => nested(() => readArray(from, item));
    }
    case 'map': {
      const value = readerOf(type.values, made);
      return (from) => nested(() => readMap(from, value));
    }
    case 'union': {
      const branches = type.branches.map((branch) => readerOf(branch, made));
      return (from) => at(branches, from.small(), 'a union has no such branch')(from);
    }
    case 'record':
      return recordReader(type, made);
  }
}

function at<T>(list: readonly T[], index: number, message: string): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(message);
  return found;
}

function nested<T>(read: () => T): T {
  if (depth >= MAX_DEPTH) throw tooDeep();
  depth++;
  const value = read();
  depth--;
  return value;
}

const tooDeep = (): RangeError => new RangeError(`values are nested more than ${MAX_DEPTH} levels deep`);

function recordReader(type: AvroRecord, made: Map<AvroType, Reader>): Reader {
  const names = type.fields.map((f) => f.column),
    readers = type.fields.map((f) => readerOf(f.type, made)),
    isPlain = !names.includes('__proto__');
  const read = (from: Bytes): Row => {
    const row: Row = {};
    if (depth >= MAX_DEPTH) throw tooDeep();
    depth++;
    for (let i = 0; i < readers.length; i++) {
      const value = (readers[i] as Reader)(from);
      if (isPlain) row[names[i] as string] = value;
      else Object.defineProperty(row, names[i] as string, { value, enumerable: true, writable: true, configurable: true });
    }
    depth--;
    return row;
  };
  if (type.notes.connectName !== 'io.debezium.data.VariableScaleDecimal') return read;
  return (from) => {
    const row = read(from),
      { scale, value } = row;
    return typeof scale === 'number' && value instanceof Uint8Array ? formatDecimal({ unscaled: integerOfBytes(value), scale }) : row;
  };
}

/** Blocks of items; a negative count comes with the bytes of the block. */
function blocks(from: Bytes, item: () => void): void {
  for (;;) {
    let count = from.int();
    if (count === 0) return;
    if (count < 0) {
      count = -count;
      from.int();
    }
    // Items of no bytes (null) could be counted without end.
    if (count > from.left + 1_000) throw new RangeError('an array is longer than the message');
    for (let i = 0; i < count; i++) item();
  }
}

function readArray(from: Bytes, item: Reader): readonly Value[] {
  const list: Value[] = [];
  blocks(from, () => list.push(item(from)));
  return list;
}

function readMap(from: Bytes, value: Reader): Row {
  const map: Row = {};
  blocks(from, () => {
    const name = from.text();
    Object.defineProperty(map, name, { value: value(from), enumerable: true, writable: true, configurable: true });
  });
  return map;
}

function intReader({ logicalType, connectName, parameters }: AvroNotes): Reader {
  if (logicalType === 'date') return (from) => dateOfDays(from.small());
  if (logicalType === 'time-millis') return (from) => timeOf(BigInt(from.small()), 1_000n);
  const logical = connectName === null ? undefined : logicalValue(connectName);
  return logical === undefined ? (from) => from.small() : (from) => logical(from.small(), { parameters: parameters as Row });
}

function longReader({ logicalType, connectName, parameters }: AvroNotes): Reader {
  switch (logicalType) {
    case 'timestamp-millis':
      return (from) => `${momentOf(from, 1_000)}Z`;
    case 'timestamp-micros':
      return (from) => `${momentOf(from, 1_000_000)}Z`;
    case 'timestamp-nanos':
      return (from) => `${momentOf(from, 1_000_000_000)}Z`;
    case 'local-timestamp-millis':
      return (from) => momentOf(from, 1_000);
    case 'local-timestamp-micros':
      return (from) => momentOf(from, 1_000_000);
    case 'local-timestamp-nanos':
      return (from) => momentOf(from, 1_000_000_000);
    case 'time-micros':
      return (from) => timeOf(from.long(), 1_000_000n);
    default: {
      const logical = connectName === null ? undefined : logicalValue(connectName);
      return logical === undefined ? (from) => from.long() : (from) => logical(from.long(), { parameters: parameters as Row });
    }
  }
}

function parts(count: bigint, perSecond: bigint): { seconds: number; nanos: number } {
  const rest = ((count % perSecond) + perSecond) % perSecond;
  return { seconds: Number((count - rest) / perSecond), nanos: Number(rest * (1_000_000_000n / perSecond)) };
}
function momentOf(from: Bytes, perSecond: number): string {
  const count = from.exact();
  if (Number.isNaN(count)) return momentText(parts(from.long(), BigInt(perSecond)), null);
  const seconds = Math.floor(count / perSecond);
  return momentText({ seconds, nanos: (count - seconds * perSecond) * (1_000_000_000 / perSecond) }, null);
}

/** A count that is no time of a day stays what it is. */
const timeOf = (count: bigint, perSecond: bigint): Value => (count < 0n ? count : timeText(parts(count, perSecond), null));

function bytesReader({ logicalType, scale, connectName, parameters }: AvroNotes, take: (from: Bytes) => Buffer): Reader {
  if (logicalType === 'decimal') {
    const digits = scale ?? 0;
    return (from) => decimalOf(take(from), digits);
  }
  const logical = connectName === null ? undefined : logicalValue(connectName);
  // Debezium's logical bytes are described for JSON, where bytes are base64.
  if (logical !== undefined) return (from) => logical(take(from).toString('base64'), { parameters: parameters as Row });
  return (from) => new Uint8Array(take(from));
}

/** Longest integer that a Buffer reads at once. */
const SHORT_BYTES = 6;

function decimalOf(bytes: Buffer, scale: number): string {
  const { length } = bytes;
  if (length === 0 || length > SHORT_BYTES) return formatDecimal({ unscaled: integerOfBytes(bytes), scale });
  const unscaled = bytes.readIntBE(0, length);
  if (scale === 0) return String(unscaled);
  const digits = String(Math.abs(unscaled)).padStart(scale + 1, '0');
  return `${unscaled < 0 ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function stringReader({ connectName, parameters }: AvroNotes): Reader {
  if (connectName === 'io.debezium.data.Json') return (from) => new JsonText(from.text());
  const logical = connectName === null ? undefined : logicalValue(connectName);
  return logical === undefined ? (from) => from.text() : (from) => logical(from.text(), { parameters: parameters as Row });
}
