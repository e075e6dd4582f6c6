// pgoutput messages as a server sends them, and its catalog of types, for tests without one.

import type { PgType, PgTypes } from '../../src/sources/postgresql/pg-type.ts';
import { decodeMessage } from '../../src/sources/postgresql/pgoutput/decode.ts';
import type { PgoutputHandler } from '../../src/sources/postgresql/pgoutput/handler.ts';
import { RowLayout, type Tuple } from '../../src/sources/postgresql/pgoutput/tuple.ts';
import { textColumnsOf } from '../../src/sources/postgresql/types.ts';

/** A column's text, NULL, or an unchanged value that was not sent. */
export type Sent = string | null | typeof UNCHANGED;
export const UNCHANGED = Symbol('unchanged');

export interface TestColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
  readonly isKey: boolean;
}

function int(n: number | bigint, bytes: 1 | 2 | 4 | 8): Buffer {
  const b = Buffer.alloc(bytes);
  if (bytes === 8) b.writeBigUInt64BE(BigInt.asUintN(64, BigInt(n)));
  else b.writeUIntBE(bytes === 4 ? Number(n) >>> 0 : Number(n), 0, bytes);
  return b;
}
const text = (s: string): Buffer => Buffer.from(`${s}\0`);

export function tuple(values: readonly Sent[]): Buffer {
  const parts = values.map((v) => {
    if (v === null) return Buffer.from('n');
    if (v === UNCHANGED) return Buffer.from('u');
    const bytes = Buffer.from(v as string);
    return Buffer.concat([Buffer.from('t'), int(bytes.length, 4), bytes]);
  });
  return Buffer.concat([int(values.length, 2), ...parts]);
}

export const message = {
  begin: (finalLsn: bigint, commitTsUs: bigint, xid: number) =>
    Buffer.concat([Buffer.from('B'), int(finalLsn, 8), int(commitTsUs, 8), int(xid, 4)]),
  commit: (lsn: bigint, endLsn: bigint, commitTsUs: bigint) =>
    Buffer.concat([Buffer.from('C'), int(0, 1), int(lsn, 8), int(endLsn, 8), int(commitTsUs, 8)]),
  relation: (oid: number, schema: string, table: string, identity: string, columns: readonly TestColumn[]) =>
    Buffer.concat([
      Buffer.from('R'),
      int(oid, 4),
      text(schema),
      text(table),
      Buffer.from(identity),
      int(columns.length, 2),
      ...columns.flatMap((c) => [int(c.isKey ? 1 : 0, 1), text(c.name), int(c.typeOid, 4), int(c.typmod, 4)]),
    ]),
  type: (oid: number, schema: string, name: string) => Buffer.concat([Buffer.from('Y'), int(oid, 4), text(schema), text(name)]),
  origin: (lsn: bigint, name: string) => Buffer.concat([Buffer.from('O'), int(lsn, 8), text(name)]),
  insert: (oid: number, row: readonly Sent[]) => Buffer.concat([Buffer.from('I'), int(oid, 4), Buffer.from('N'), tuple(row)]),
  update: (oid: number, row: readonly Sent[], kind: 'K' | 'O' | null = null, old: readonly Sent[] = []) =>
    Buffer.concat([Buffer.from('U'), int(oid, 4), ...(kind === null ? [] : [Buffer.from(kind), tuple(old)]), Buffer.from('N'), tuple(row)]),
  delete: (oid: number, kind: 'K' | 'O', old: readonly Sent[]) =>
    Buffer.concat([Buffer.from('D'), int(oid, 4), Buffer.from(kind), tuple(old)]),
  truncate: (oids: readonly number[], options: number) =>
    Buffer.concat([Buffer.from('T'), int(oids.length, 4), int(options, 1), ...oids.map((oid) => int(oid, 4))]),
  message: (lsn: bigint, transactional: boolean, prefix: string, content: Buffer) =>
    Buffer.concat([Buffer.from('M'), int(transactional ? 1 : 0, 1), int(lsn, 8), text(prefix), int(content.length, 4), content]),
};

/** A call of the handler, rows as they are. */
export type Call = readonly [method: keyof PgoutputHandler, ...args: unknown[]];

/** Decodes from the middle of a larger buffer, as the stream does, and gives the calls. */
export function decode(bytes: Buffer, lsnHi = 0x16, lsnLo = 0xb374d848): Call[] {
  const around = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(9, 0xff)]),
    calls: Call[] = [];
  const handler = new Proxy({} as PgoutputHandler, {
    get:
      (_, method: keyof PgoutputHandler) =>
      (...args: unknown[]) =>
        calls.push([method, ...args]),
  });
  decodeMessage(around, 7, 7 + bytes.length, lsnHi, lsnLo, handler);
  return calls;
}

/** The images of a row message, bound to the relation: the old one and the new one. */
export function images(bytes: Buffer, columns: readonly TestColumn[], types: PgTypes, layout?: RowLayout): (Tuple | null)[] {
  const bound = layout ?? new RowLayout(textColumnsOf(columns, types), { columns });
  const [call] = decode(bytes);
  if (call === undefined) throw new Error('no call');
  const [method, , , , ...rest] = call;
  const rows = (method === 'insert' ? [null, rest[0]] : method === 'update' ? [rest[1], rest[2]] : [rest[1], null]) as (Tuple | null)[];
  return rows.map((row) => row?.bind(bound) ?? null);
}

const base = (oid: number, name: string, formatted: string, more: Partial<PgType> = {}): PgType => ({
  oid,
  name,
  formatted,
  kind: 'b',
  category: 'U',
  element: 0,
  delimiter: ',',
  base: 0,
  typmod: -1,
  labels: [],
  fields: [],
  ...more,
});
const array = (oid: number, name: string, element: PgType): PgType =>
  base(oid, name, `${element.formatted}[]`, { category: 'A', element: element.oid });

const SINGLE = [
  base(16, 'bool', 'boolean'),
  base(17, 'bytea', 'bytea'),
  base(18, 'char', '"char"'),
  base(19, 'name', 'name', { element: 18 }),
  base(20, 'int8', 'bigint'),
  base(21, 'int2', 'smallint'),
  base(22, 'int2vector', 'int2vector', { category: 'A', element: 21 }),
  base(23, 'int4', 'integer'),
  base(25, 'text', 'text'),
  base(26, 'oid', 'oid'),
  base(30, 'oidvector', 'oidvector', { category: 'A', element: 26 }),
  base(114, 'json', 'json'),
  base(142, 'xml', 'xml'),
  base(600, 'point', 'point', { element: 701 }),
  base(601, 'lseg', 'lseg', { element: 600 }),
  base(603, 'box', 'box', { element: 600, delimiter: ';' }),
  base(650, 'cidr', 'cidr'),
  base(700, 'float4', 'real'),
  base(701, 'float8', 'double precision'),
  base(790, 'money', 'money'),
  base(829, 'macaddr', 'macaddr'),
  base(869, 'inet', 'inet'),
  base(1042, 'bpchar', 'character'),
  base(1043, 'varchar', 'character varying'),
  base(1082, 'date', 'date'),
  base(1083, 'time', 'time without time zone'),
  base(1114, 'timestamp', 'timestamp without time zone'),
  base(1184, 'timestamptz', 'timestamp with time zone'),
  base(1186, 'interval', 'interval'),
  base(1266, 'timetz', 'time with time zone'),
  base(1560, 'bit', 'bit'),
  base(1562, 'varbit', 'bit varying'),
  base(1700, 'numeric', 'numeric'),
  base(2950, 'uuid', 'uuid'),
  base(3802, 'jsonb', 'jsonb'),
  base(3904, 'int4range', 'int4range', { kind: 'r', category: 'R' }),
  base(4451, 'int4multirange', 'int4multirange', { kind: 'm', category: 'R' }),
  base(3614, 'tsvector', 'tsvector'),
  base(16_400, 'mood', 'mood', { kind: 'e', category: 'E', labels: ['sad', 'ok', 'happy'] }),
  base(16_401, 'hstore', 'hstore'),
  base(16_402, 'citext', 'citext'),
  base(16_403, 'ltree', 'ltree'),
  base(16_404, 'vector', 'vector'),
  base(16_405, 'geometry', 'geometry'),
  base(16_406, 'price', 'price', { kind: 'd', category: 'N', base: 1700, typmod: 786_438 }),
  base(16_407, 'address', 'address', {
    kind: 'c',
    category: 'C',
    fields: [
      { name: 'street', typeOid: 25, typmod: -1 },
      { name: 'number', typeOid: 20, typmod: -1 },
      { name: 'tags', typeOid: 1009, typmod: -1 },
    ],
  }),
  base(16_408, 'ids', 'ids', { kind: 'd', category: 'A', base: 1007 }),
];
const single = new Map(SINGLE.map((t) => [t.name, t]));
const of = (name: string): PgType => single.get(name) as PgType;
const ARRAYS = [
  array(1000, '_bool', of('bool')),
  array(1007, '_int4', of('int4')),
  array(1009, '_text', of('text')),
  array(1016, '_int8', of('int8')),
  array(1020, '_box', of('box')),
  array(1185, '_timestamptz', of('timestamptz')),
  array(1231, '_numeric', of('numeric')),
  array(16_410, '_mood', of('mood')),
  array(16_411, '_address', of('address')),
];

/** By oid; and the oid of a type by its name in the catalog. */
export const TYPES: PgTypes = new Map([...SINGLE, ...ARRAYS].map((t) => [t.oid, t]));
export function oidOf(name: string): number {
  for (const type of TYPES.values()) if (type.name === name) return type.oid;
  throw new Error(`no type ${name}`);
}
