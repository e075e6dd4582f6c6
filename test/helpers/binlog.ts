// Events of a binlog, made here as a server writes them: for what the recorded files do not have, and for benchmarks.

import { crc32 } from 'node:zlib';
import { EventType } from '../../src/sources/mysql/binlog/events.ts';

export interface TestColumn {
  readonly name: string;
  /** As in TABLE_MAP: ENUM and SET are sent as STRING. */
  readonly type: number;
  readonly meta: readonly number[];
  readonly encode: (value: never) => Buffer;
  readonly unsigned?: boolean;
  readonly collation?: number;
  readonly values?: readonly string[];
  readonly geometry?: number;
  readonly invisible?: boolean;
}

export function le(n: number | bigint, bytes: number): Buffer {
  const b = Buffer.alloc(bytes);
  let rest = BigInt.asUintN(bytes * 8, BigInt(n));
  for (let i = 0; i < bytes; i++, rest >>= 8n) b[i] = Number(rest & 0xffn);
  return b;
}
export const be = (n: number | bigint, bytes: number): Buffer => le(n, bytes).reverse();

export function packed(n: number): Buffer {
  if (n < 251) return Buffer.from([n]);
  return n < 65_536 ? Buffer.concat([Buffer.from([252]), le(n, 2)]) : Buffer.concat([Buffer.from([253]), le(n, 3)]);
}
export const packedText = (text: string | Buffer): Buffer => Buffer.concat([packed(Buffer.from(text).length), Buffer.from(text)]);

const withLength = (bytes: Buffer, size: number): Buffer => Buffer.concat([le(bytes.length, size), bytes]);
const isUtf8 = (collation: number): boolean => collation === 45;

function integer(name: string, type: number, bytes: number, unsigned = false): TestColumn {
  return { name, type, meta: [], unsigned, encode: (n: number | bigint) => le(n, bytes) };
}

/** `[-]digits.digits` → NEWDECIMAL, group by group. */
export function decimalBytesOf(text: string, precision: number, scale: number): Buffer {
  const negative = text.startsWith('-'),
    [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const sizes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4],
    parts: Buffer[] = [];
  const digits = whole.padStart(precision - scale, '0').slice(-(precision - scale) || undefined);
  const first = (precision - scale) % 9;
  if (precision > scale) {
    if (first > 0) parts.push(be(Number(digits.slice(0, first)), sizes[first] as number));
    for (let i = first; i < digits.length; i += 9) parts.push(be(Number(digits.slice(i, i + 9)), 4));
  }
  const tail = fraction.padEnd(scale, '0');
  for (let i = 0; i < scale; i += 9) parts.push(be(Number(tail.slice(i, i + 9)), sizes[Math.min(9, scale - i)] as number));
  const bytes = Buffer.concat(parts);
  if (negative) for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ 0xff;
  bytes[0] = (bytes[0] as number) ^ 0x80;
  return bytes;
}

/** Digits behind the point → the bytes of a fraction. */
function fraction(micros: number, digits: number): Buffer {
  const size = (digits + 1) >> 1;
  return size === 0 ? Buffer.alloc(0) : be(Math.floor(micros / 10 ** (6 - size * 2)), size);
}

const NUMBERS = /^(-?)(\d+)-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?/;
const microsOf = (digits: string | undefined): number => Number((digits ?? '').padEnd(6, '0'));

export function datetimeBytesOf(text: string, digits: number): Buffer {
  const [, , y, mo, d, h = 0, mi = 0, s = 0, f] = NUMBERS.exec(text) ?? [];
  const days = BigInt((Number(y) * 13 + Number(mo)) * 32 + Number(d)),
    clock = BigInt((Number(h) << 12) | (Number(mi) << 6) | Number(s));
  return Buffer.concat([be((1n << 39n) | (days << 17n) | clock, 5), fraction(microsOf(f), digits)]);
}

export function timeBytesOf(text: string, digits: number): Buffer {
  const [, sign, h, mi, s, f] = /^(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?$/.exec(text) ?? [];
  const size = (digits + 1) >> 1,
    unit = 256n ** BigInt(size),
    part = size === 0 ? 0n : BigInt(Math.floor(microsOf(f) / 10 ** (6 - size * 2)));
  const n = BigInt((Number(h) << 12) | (Number(mi) << 6) | Number(s)) * unit + part;
  return be(0x80_00_00n * unit + (sign === '-' ? -n : n), 3 + size);
}

/** One function per kind of column. */
export const column = {
  tinyint: (name: string, unsigned = false) => integer(name, 1, 1, unsigned),
  smallint: (name: string, unsigned = false) => integer(name, 2, 2, unsigned),
  mediumint: (name: string, unsigned = false) => integer(name, 9, 3, unsigned),
  int: (name: string, unsigned = false) => integer(name, 3, 4, unsigned),
  bigint: (name: string, unsigned = false) => integer(name, 8, 8, unsigned),
  year: (name: string): TestColumn => ({ name, type: 13, meta: [], unsigned: true, encode: (n: number) => le(n === 0 ? 0 : n - 1900, 1) }),
  float: (name: string): TestColumn => ({
    name,
    type: 4,
    meta: [4],
    unsigned: false,
    encode: (n: number) => {
      const b = Buffer.alloc(4);
      b.writeFloatLE(n);
      return b;
    },
  }),
  double: (name: string): TestColumn => ({
    name,
    type: 5,
    meta: [8],
    unsigned: false,
    encode: (n: number) => {
      const b = Buffer.alloc(8);
      b.writeDoubleLE(n);
      return b;
    },
  }),
  decimal: (name: string, precision: number, scale: number): TestColumn => ({
    name,
    type: 246,
    meta: [precision, scale],
    unsigned: false,
    encode: (text: string) => decimalBytesOf(text, precision, scale),
  }),
  /** `length`: in bytes. */
  varchar: (name: string, length: number, collation = 45): TestColumn => ({
    name,
    type: 15,
    meta: [length & 255, length >> 8],
    collation,
    encode: (text: string | Buffer) =>
      withLength(isUtf8(collation) ? Buffer.from(text) : Buffer.from(text as Buffer), length > 255 ? 2 : 1),
  }),
  char: (name: string, length: number, collation = 45): TestColumn => ({
    name,
    type: 254,
    meta: [254 ^ ((length & 0x300) >> 4), length & 255],
    collation,
    encode: (text: string | Buffer) => withLength(Buffer.from(text), length > 255 ? 2 : 1),
  }),
  blob: (name: string, size: 1 | 2 | 3 | 4, collation = 63): TestColumn => ({
    name,
    type: 252,
    meta: [size],
    collation,
    encode: (bytes: string | Buffer) => withLength(Buffer.from(bytes), size),
  }),
  json: (name: string): TestColumn => ({ name, type: 245, meta: [4], encode: (bytes: Buffer) => withLength(bytes, 4) }),
  geometry: (name: string, geometry = 0): TestColumn => ({
    name,
    type: 255,
    meta: [4],
    geometry,
    encode: (bytes: Buffer) => withLength(bytes, 4),
  }),
  date: (name: string): TestColumn => ({
    name,
    type: 10,
    meta: [],
    encode: (text: string) => {
      const [y, m, d] = text.split('-').map(Number) as [number, number, number];
      return le((y << 9) | (m << 5) | d, 3);
    },
  }),
  time: (name: string, digits: number): TestColumn => ({
    name,
    type: 19,
    meta: [digits],
    encode: (text: string) => timeBytesOf(text, digits),
  }),
  datetime: (name: string, digits: number): TestColumn => ({
    name,
    type: 18,
    meta: [digits],
    encode: (text: string) => datetimeBytesOf(text, digits),
  }),
  /** Values are microseconds since 1970. */
  timestamp: (name: string, digits: number): TestColumn => ({
    name,
    type: 17,
    meta: [digits],
    encode: (us: number) => Buffer.concat([be(Math.floor(us / 1e6), 4), fraction(us % 1e6, digits)]),
  }),
  enum: (name: string, values: readonly string[]): TestColumn => ({
    name,
    type: 254,
    meta: [247, values.length > 255 ? 2 : 1],
    collation: 45,
    values,
    encode: (n: number) => le(n, values.length > 255 ? 2 : 1),
  }),
  set: (name: string, values: readonly string[]): TestColumn => {
    const bytes = (values.length + 7) >> 3,
      size = bytes === 3 ? 4 : bytes > 4 ? 8 : bytes;
    return { name, type: 254, meta: [248, size], collation: 45, values, encode: (n: bigint) => le(n, size) };
  },
  bit: (name: string, length: number): TestColumn => ({
    name,
    type: 16,
    meta: [length & 7, length >> 3],
    encode: (bits: string) => be(BigInt(`0b${bits}`), (length + 7) >> 3),
  }),
} as const;

export interface EventOptions {
  readonly timestamp?: number;
  readonly flags?: number;
  readonly nextPosition?: number;
  /** Default `true`. */
  readonly checksum?: boolean;
}

export function event(
  type: number,
  body: Buffer,
  { timestamp = 1_709_210_096, flags = 0, nextPosition = 0, checksum = true }: EventOptions = {},
): Buffer {
  const length = 19 + body.length + (checksum ? 4 : 0);
  const head = Buffer.concat([le(timestamp, 4), le(type, 1), le(1, 4), le(length, 4), le(nextPosition, 4), le(flags, 2)]);
  const bytes = Buffer.concat([head, body]);
  return checksum ? Buffer.concat([bytes, le(crc32(bytes), 4)]) : bytes;
}

export function formatDescription(version = '8.0.31', algorithm: 0 | 1 = 1): Buffer {
  const body = Buffer.concat([le(4, 2), Buffer.from(version.padEnd(50, '\0')), le(0, 4), le(19, 1), Buffer.alloc(40), le(algorithm, 1)]);
  return event(EventType.formatDescription, body);
}

function bits(flags: readonly boolean[], lowestFirst = true): Buffer {
  const bytes = Buffer.alloc((flags.length + 7) >> 3);
  for (const [i, is] of flags.entries()) if (is) bytes[i >> 3] = (bytes[i >> 3] as number) | (lowestFirst ? 1 << (i & 7) : 0x80 >> (i & 7));
  return bytes;
}

const field = (type: number, body: Buffer): Buffer => Buffer.concat([le(type, 1), packed(body.length), body]);

function optionalMetadata(columns: readonly TestColumn[], key: readonly number[], level: 'full' | 'minimal'): Buffer {
  const isChoice = (c: TestColumn): boolean => c.values !== undefined;
  const numeric = columns.filter((c) => c.unsigned !== undefined),
    texts = columns.filter((c) => c.collation !== undefined && !isChoice(c));
  const parts: Buffer[] = [];
  if (numeric.length > 0)
    parts.push(
      field(
        1,
        bits(
          numeric.map((c) => c.unsigned === true),
          false,
        ),
      ),
    );
  if (texts.length > 0) parts.push(field(3, Buffer.concat(texts.map((c) => packed(c.collation as number)))));
  const geometries = columns.filter((c) => c.geometry !== undefined);
  if (geometries.length > 0) parts.push(field(7, Buffer.concat(geometries.map((c) => packed(c.geometry as number)))));
  if (level === 'minimal') return Buffer.concat(parts);
  parts.push(field(4, Buffer.concat(columns.map((c) => packedText(c.name)))));
  const named = (kind: number): TestColumn[] => columns.filter((c) => isChoice(c) && c.meta[0] === kind);
  if (columns.some(isChoice)) parts.push(field(10, packed(45)));
  for (const [type, kind] of [
    [5, 248],
    [6, 247],
  ] as const) {
    const choices = named(kind);
    if (choices.length === 0) continue;
    const lists = choices.map(({ values = [] }) => Buffer.concat([packed(values.length), ...values.map((v) => packedText(v))]));
    parts.push(field(type, Buffer.concat(lists)));
  }
  if (key.length > 0) parts.push(field(8, Buffer.concat(key.map(packed))));
  if (columns.some((c) => c.invisible === true))
    parts.push(
      field(
        12,
        bits(
          columns.map((c) => c.invisible !== true),
          false,
        ),
      ),
    );
  return Buffer.concat(parts);
}

export interface TestTable {
  readonly id: number;
  readonly database: string;
  readonly table: string;
  readonly columns: readonly TestColumn[];
  /** Indexes. */
  readonly key?: readonly number[];
  readonly metadata?: 'full' | 'minimal' | 'none';
}

export function tableMap({ id, database, table, columns, key = [], metadata = 'full' }: TestTable, options?: EventOptions): Buffer {
  const name = (text: string): Buffer => Buffer.concat([le(Buffer.byteLength(text), 1), Buffer.from(`${text}\0`)]);
  const metas = Buffer.concat(columns.map((c) => Buffer.from(c.meta)));
  const body = Buffer.concat([
    le(id, 6),
    le(1, 2),
    name(database),
    name(table),
    packed(columns.length),
    Buffer.from(columns.map((c) => c.type)),
    packed(metas.length),
    metas,
    bits(columns.map((_, i) => !key.includes(i))),
    metadata === 'none' ? Buffer.alloc(0) : optionalMetadata(columns, key, metadata),
  ]);
  return event(EventType.tableMap, body, options);
}

/** By column name; a column that is missing is not sent, `null` is NULL. */
export type TestRow = Readonly<Record<string, unknown>>;

/** `present`: names of the columns of the image. */
export function image(columns: readonly TestColumn[], row: TestRow, present: readonly string[] = columns.map((c) => c.name)): Buffer {
  const sent = columns.filter((c) => present.includes(c.name));
  const nulls = bits(sent.map((c) => row[c.name] === null || row[c.name] === undefined));
  return Buffer.concat([
    nulls,
    ...sent.flatMap((c) => (row[c.name] === null || row[c.name] === undefined ? [] : [c.encode(row[c.name] as never)])),
  ]);
}

export interface RowsOptions extends EventOptions {
  readonly type?: number;
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly extra?: Buffer;
  readonly endsStatement?: boolean;
}

const TYPES = { c: EventType.writeRows, u: EventType.updateRows, d: EventType.deleteRows } as const;

/** `rows`: of `u` before and after by turns. */
export function rowsBody(
  op: 'c' | 'u' | 'd',
  { id, columns }: TestTable,
  rows: readonly TestRow[],
  options: RowsOptions = {},
): { head: Buffer; images: Buffer } {
  const all = columns.map((c) => c.name),
    { before = all, after = all, extra = Buffer.alloc(0), endsStatement = true, type = TYPES[op] } = options;
  const present = (names: readonly string[]): Buffer => bits(columns.map((c) => names.includes(c.name)));
  const isFirstVersion = type < 28 || (type >= 166 && type <= 168);
  const head = Buffer.concat([
    le(id, 6),
    le(endsStatement ? 1 : 0, 2),
    isFirstVersion ? Buffer.alloc(0) : Buffer.concat([le(extra.length + 2, 2), extra]),
    packed(columns.length),
    op === 'c' ? Buffer.alloc(0) : present(before),
    op === 'd' ? Buffer.alloc(0) : present(after),
  ]);
  const images = rows.map((row, i) => image(columns, row, op === 'c' || (op === 'u' && i % 2 === 1) ? after : before));
  return { head, images: Buffer.concat(images) };
}

export function rowsEvent(op: 'c' | 'u' | 'd', table: TestTable, rows: readonly TestRow[], options: RowsOptions = {}): Buffer {
  const { head, images } = rowsBody(op, table, rows, options);
  return event(options.type ?? TYPES[op], Buffer.concat([head, images]), options);
}

export function queryEvent(sql: string, database = 'shop', status: Buffer = Buffer.alloc(0), options?: EventOptions): Buffer {
  const head = Buffer.concat([le(7, 4), le(0, 4), le(Buffer.byteLength(database), 1), le(0, 2), le(status.length, 2), status]);
  return event(EventType.query, Buffer.concat([head, Buffer.from(`${database}\0${sql}`)]), options);
}

/** A number that is not what `JSON.parse` makes: `{double: 1}` is `1.0`. */
export type TestJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | TestDouble
  | TestOpaque
  | readonly TestJson[]
  | { readonly [key: string]: TestJson };
export class TestDouble {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}
export class TestOpaque {
  readonly type: number;
  readonly bytes: Buffer;
  constructor(type: number, bytes: Buffer) {
    this.type = type;
    this.bytes = bytes;
  }
}

function varLength(n: number): Buffer {
  const bytes: number[] = [];
  for (let rest = n; ; rest >>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** A document as the server stores it; `size`: 2 for the small format, 4 for the large one. */
export function jsonBytesOf(value: TestJson, size: 2 | 4 = 2): Buffer {
  const [type, bytes] = jsonValueOf(value, size);
  return Buffer.concat([le(type, 1), bytes]);
}

function jsonValueOf(value: TestJson, size: 2 | 4): [type: number, bytes: Buffer] {
  if (value === null || typeof value === 'boolean') return [4, le(value === null ? 0 : value ? 1 : 2, 1)];
  if (typeof value === 'string') return [12, Buffer.concat([varLength(Buffer.byteLength(value)), Buffer.from(value)])];
  if (value instanceof TestDouble) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value.value);
    return [11, bytes];
  }
  if (value instanceof TestOpaque) return [15, Buffer.concat([le(value.type, 1), varLength(value.bytes.length), value.bytes])];
  if (typeof value === 'number' || typeof value === 'bigint') return integerOf(BigInt(value));
  return containerOf(value as readonly TestJson[] | { readonly [key: string]: TestJson }, size);
}

function integerOf(n: bigint): [number, Buffer] {
  if (n >= -32_768n && n <= 32_767n) return [5, le(n, 2)];
  if (n >= 0n && n <= 65_535n) return [6, le(n, 2)];
  if (n >= -(2n ** 31n) && n < 2n ** 31n) return [7, le(n, 4)];
  if (n >= 0n && n < 2n ** 32n) return [8, le(n, 4)];
  return n < 2n ** 63n ? [9, le(n, 8)] : [10, le(n, 8)];
}

function containerOf(value: readonly TestJson[] | { readonly [key: string]: TestJson }, size: 2 | 4): [number, Buffer] {
  const isArray = Array.isArray(value);
  const entries = isArray
    ? (value as readonly TestJson[]).map((v) => ['', v] as const)
    : Object.entries(value as { readonly [key: string]: TestJson }).sort(([a], [b]) => compareNames(Buffer.from(a), Buffer.from(b)));
  const keysAt = 2 * size,
    valuesAt = keysAt + (isArray ? 0 : entries.length * (size + 2));
  let at = valuesAt + entries.length * (size + 1);
  const heads: Buffer[] = [],
    bodies: Buffer[] = [],
    slots: Buffer[] = [];
  if (!isArray) {
    for (const [name] of entries) {
      const bytes = Buffer.from(name);
      heads.push(le(at, size), le(bytes.length, 2));
      bodies.push(bytes);
      at += bytes.length;
    }
  }
  for (const [, item] of entries) {
    const [type, bytes] = jsonValueOf(item, size);
    const isInline = type >= 4 && type <= (size === 4 ? 8 : 6);
    const fill = type === 5 && ((bytes[1] as number) & 0x80) !== 0 ? 0xff : 0;
    if (isInline) slots.push(le(type, 1), Buffer.concat([bytes, Buffer.alloc(size, fill)]).subarray(0, size));
    else {
      slots.push(le(type, 1), le(at, size));
      bodies.push(bytes);
      at += bytes.length;
    }
  }
  return [(isArray ? 2 : 0) + (size === 4 ? 1 : 0), Buffer.concat([le(entries.length, size), le(at, size), ...heads, ...slots, ...bodies])];
}

const compareNames = (a: Buffer, b: Buffer): number => a.length - b.length || Buffer.compare(a, b);
