// The bytes of a replication stream, made here: the table `orders` with about 186 bytes of text per row.

import type { PgType, PgTypes } from '../../src/sources/postgresql/pg-type.ts';

const COLUMNS: readonly (readonly [name: string, type: PgType])[] = [
  ['id', pgType(20, 'int8', 'bigint', 'N')],
  ['customer', pgType(25, 'text', 'text', 'S')],
  ['email', pgType(25, 'text', 'text', 'S')],
  ['note', pgType(25, 'text', 'text', 'S')],
  ['amount', pgType(1700, 'numeric', 'numeric', 'N')],
  ['created', pgType(1184, 'timestamptz', 'timestamp with time zone', 'D')],
  ['paid', pgType(16, 'bool', 'boolean', 'B')],
  ['doc', pgType(3802, 'jsonb', 'jsonb', 'U')],
];
export const TYPES: PgTypes = new Map(COLUMNS.map(([, type]) => [type.oid, type]));
export const OID = 16_384;

function pgType(oid: number, name: string, formatted: string, category: string): PgType {
  return { oid, name, formatted, kind: 'b', category, element: 0, delimiter: ',', base: 0, typmod: -1, labels: [], fields: [] };
}

function int(n: number, bytes: 1 | 2 | 4): Buffer {
  const b = Buffer.alloc(bytes);
  b.writeIntBE(n, 0, bytes);
  return b;
}

export function relationMessage(): Buffer {
  const columns = COLUMNS.flatMap(([name, type], i) => [int(i === 0 ? 1 : 0, 1), Buffer.from(`${name}\0`), int(type.oid, 4), int(-1, 4)]);
  return Buffer.concat([Buffer.from('R'), int(OID, 4), Buffer.from('public\0orders\0d'), int(COLUMNS.length, 2), ...columns]);
}

function textsOf(i: number, change: number): string[] {
  return [
    `${i}`,
    `Customer number ${i}`,
    `customer${i}@example.com`,
    `left at the door, as usual, with the neighbour${change === 0 ? '' : ` ${change}`}`,
    `${i % 1000}.50`,
    `2026-01-05 23:30:09.${String(100_000 + (i % 899_999))}+00`,
    i % 2 === 0 ? 't' : 'f',
    `{"k": ${i}, "tags": ["a", "b"], "n": "x${i % 97}"}`,
  ];
}

function tuple(i: number, change: number): Buffer {
  const values = textsOf(i, change);
  return Buffer.concat([int(values.length, 2), ...values.flatMap((v) => [Buffer.from('t'), int(Buffer.byteLength(v), 4), Buffer.from(v)])]);
}

/** The rows of a query, as the server sends them. */
export function dataRows(count: number): Buffer {
  const messages = Array.from({ length: count }, (_, i) => {
    const values = textsOf(1_000_000 + i, 0),
      body = Buffer.concat([int(values.length, 2), ...values.flatMap((v) => [int(Buffer.byteLength(v), 4), Buffer.from(v)])]);
    return Buffer.concat([Buffer.from('D'), int(body.length + 4, 4), body]);
  });
  return Buffer.concat(messages);
}

/** Messages one after another, and where each begins; one more place marks the end. */
export interface Tape {
  readonly bytes: Buffer;
  readonly starts: Int32Array;
}

export function tape(kind: 'inserts' | 'full updates', count: number): Tape {
  const parts: Buffer[] = [],
    starts = new Int32Array(count + 1);
  let at = 0;
  for (let i = 0; i < count; i++) {
    starts[i] = at;
    const id = 1_000_000 + i;
    const part =
      kind === 'inserts'
        ? Buffer.concat([Buffer.from('I'), int(OID, 4), Buffer.from('N'), tuple(id, 0)])
        : Buffer.concat([Buffer.from('U'), int(OID, 4), Buffer.from('O'), tuple(id, 0), Buffer.from('N'), tuple(id, i % 10)]);
    parts.push(part);
    at += part.length;
  }
  starts[count] = at;
  return { bytes: Buffer.concat(parts), starts };
}
