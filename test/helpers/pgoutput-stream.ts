// pgoutput messages as bytes, for tests without a server, and what walks through them as the source does.

import type { Assembler } from '../../src/sources/postgresql/batches.ts';
import { decodeMessage } from '../../src/sources/postgresql/pgoutput/decode.ts';
import type { Relation } from '../../src/sources/postgresql/pgoutput/relation.ts';

const u8 = (...n: number[]): Buffer => Buffer.from(n);
const tag = (text: string): Buffer => Buffer.from(text, 'latin1');
const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const i16 = (n: number): Buffer => u8((n >> 8) & 255, n & 255);
function i32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n | 0);
  return bytes;
}
function i64(n: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(n);
  return bytes;
}

/** `undefined`: unchanged. */
export type Cell = string | null | undefined;

function tuple(cells: readonly Cell[]): Buffer {
  const one = (cell: Cell): Buffer => {
    if (cell === null) return tag('n');
    if (cell === undefined) return tag('u');
    const bytes = Buffer.from(cell);
    return Buffer.concat([tag('t'), i32(bytes.length), bytes]);
  };
  return Buffer.concat([i16(cells.length), ...cells.map(one)]);
}

/** A message and the LSN in the head of its frame. */
export interface Sent {
  readonly lsn: number;
  readonly bytes: Buffer;
}

const sent = (lsn: number, ...parts: Buffer[]): Sent => ({ lsn, bytes: Buffer.concat(parts) });

export const begin = (commitLsn: number, xid: number, microseconds = 0n): Sent =>
  sent(0, tag('B'), i64(BigInt(commitLsn)), i64(microseconds), i32(xid));
export const commit = (lsn: number, endLsn: number): Sent => sent(endLsn, tag('C'), u8(0), i64(BigInt(lsn)), i64(BigInt(endLsn)), i64(0n));
export const relation = (r: Relation): Sent =>
  sent(
    0,
    tag('R'),
    i32(r.oid),
    text(r.schema),
    text(r.table),
    tag(r.identity),
    i16(r.columns.length),
    ...r.columns.flatMap((c) => [u8(c.isKey ? 1 : 0), text(c.name), i32(c.typeOid), i32(c.typmod)]),
  );
export const insert = (lsn: number, oid: number, row: readonly Cell[]): Sent => sent(lsn, tag('I'), i32(oid), tag('N'), tuple(row));
export const update = (lsn: number, oid: number, row: readonly Cell[], old?: { kind: 'K' | 'O'; row: readonly Cell[] }): Sent =>
  sent(lsn, tag('U'), i32(oid), ...(old === undefined ? [] : [tag(old.kind), tuple(old.row)]), tag('N'), tuple(row));
export const remove = (lsn: number, oid: number, kind: 'K' | 'O', row: readonly Cell[]): Sent =>
  sent(lsn, tag('D'), i32(oid), tag(kind), tuple(row));
export const truncate = (lsn: number, ...oids: number[]): Sent => sent(lsn, tag('T'), i32(oids.length), u8(0), ...oids.map(i32));
export const message = (lsn: number, transactional: boolean, prefix: string, content: string): Sent =>
  sent(lsn, tag('M'), u8(transactional ? 1 : 0), i64(BigInt(lsn)), text(prefix), i32(Buffer.byteLength(content)), Buffer.from(content));

/** Takes in one message; `onRelation` for each relation that must be known first. */
export async function feed(
  assembler: Assembler,
  { lsn, bytes }: Sent,
  onRelation: (relation: Relation, lsn: number) => Promise<void>,
): Promise<void> {
  for (;;) {
    const missing = assembler.unresolved(bytes, 0, bytes.length);
    if (missing === null) break;
    await onRelation(missing, lsn);
  }
  assembler.messageBytes = bytes.length;
  decodeMessage(bytes, 0, bytes.length, 0, lsn, assembler);
}
