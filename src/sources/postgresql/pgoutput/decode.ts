// One pgoutput message → one call of the handler. Pure, over the bytes as they lie. Protocol version 1; what later versions add
// (streamed transactions, two-phase commits) is asked for by nobody and passed over when a server sends it all the same.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
//
// | tag | message | | tag | message |
// |---|---|---|---|---|
// | `B` | begin | | `D` | delete |
// | `C` | commit | | `T` | truncate |
// | `R` | relation | | `M` | message |
// | `I` | insert | | `Y` | type |
// | `U` | update | | `O` | origin |

import { PgoutputError } from './errors.ts';
import type { PgoutputHandler } from './handler.ts';
import { MessageReader } from './reader.ts';
import { decodeRelation } from './relation.ts';
import { type Tuple, TupleReader } from './tuple.ts';

const INSERT = 0x49,
  UPDATE = 0x55,
  DELETE = 0x44;
const NEW = 0x4e, // N
  KEY = 0x4b, // K
  OLD = 0x4f; // O
const OID_BYTES = 4;
const CASCADE = 1,
  RESTART_IDENTITY = 2,
  TRANSACTIONAL = 1;

/** For the rows: made once, because a message is decoded at once. */
const tuples = new TupleReader();

/**
 * The message in `bytes` from `start` to `end`, never read beyond. LSN: of its place in the WAL, as its frame says. The images
 * given to the handler keep `bytes`, which must not change afterwards. Throws `PgoutputError` for anything else than a message.
 */
export function decodeMessage(bytes: Buffer, start: number, end: number, lsnHi: number, lsnLo: number, handler: PgoutputHandler): void {
  if (end <= start) throw new PgoutputError('an empty message', 0);
  switch (bytes[start]) {
    case INSERT:
      decodeInsert(bytes, start, end, lsnHi, lsnLo, handler);
      return;
    case UPDATE:
      decodeUpdate(bytes, start, end, lsnHi, lsnLo, handler);
      return;
    case DELETE:
      decodeDelete(bytes, start, end, lsnHi, lsnLo, handler);
      return;
    default:
      decodeOther(new MessageReader(bytes, start, end), lsnHi, lsnLo, handler);
  }
}

/** Relation id and the kind of the first tuple. */
function checkHead(start: number, end: number): void {
  if (end - start < OID_BYTES + 2) throw new PgoutputError('the head of a row is cut off', end - start);
}

function oidAt(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  );
}

function checkEnd(start: number, end: number): void {
  if (tuples.at !== end) throw new PgoutputError(`${end - tuples.at} bytes too many`, tuples.at - start);
}

function unknownKind(kind: number | undefined, offset: number): PgoutputError {
  return new PgoutputError(`a row of unknown kind ${kind}`, offset);
}

function decodeInsert(bytes: Buffer, start: number, end: number, lsnHi: number, lsnLo: number, handler: PgoutputHandler): void {
  checkHead(start, end);
  if (bytes[start + 5] !== NEW) throw unknownKind(bytes[start + 5], 5);
  const row = tuples.row(bytes, start + 6, end, start, false);
  checkEnd(start, end);
  handler.insert(lsnHi, lsnLo, oidAt(bytes, start + 1), row);
}

function decodeUpdate(bytes: Buffer, start: number, end: number, lsnHi: number, lsnLo: number, handler: PgoutputHandler): void {
  checkHead(start, end);
  const kind = bytes[start + 5],
    oid = oidAt(bytes, start + 1);
  if (kind === NEW) {
    const row = tuples.row(bytes, start + 6, end, start, false);
    checkEnd(start, end);
    handler.update(lsnHi, lsnLo, oid, null, null, row);
    return;
  }
  if (kind !== KEY && kind !== OLD) throw unknownKind(kind, 5);
  const old = tuples.row(bytes, start + 6, end, start, kind === KEY);
  const { at } = tuples;
  if (at >= end || bytes[at] !== NEW) throw new PgoutputError('the new row is missing', at - start);
  const row: Tuple =
    kind === OLD
      ? tuples.merged(bytes, at + 1, end, start, start + 6, old.incomplete, old.width)
      : tuples.row(bytes, at + 1, end, start, false);
  checkEnd(start, end);
  handler.update(lsnHi, lsnLo, oid, kind === KEY ? 'K' : 'O', old, row);
}

function decodeDelete(bytes: Buffer, start: number, end: number, lsnHi: number, lsnLo: number, handler: PgoutputHandler): void {
  checkHead(start, end);
  const kind = bytes[start + 5];
  if (kind !== KEY && kind !== OLD) throw unknownKind(kind, 5);
  const old = tuples.row(bytes, start + 6, end, start, kind === KEY);
  checkEnd(start, end);
  handler.delete(lsnHi, lsnLo, oidAt(bytes, start + 1), kind === KEY ? 'K' : 'O', old);
}

function decodeOther(r: MessageReader, lsnHi: number, lsnLo: number, handler: PgoutputHandler): void {
  const tag = r.byte('the tag');
  switch (String.fromCharCode(tag)) {
    case 'B':
      decodeBegin(r, handler);
      return;
    case 'C':
      decodeCommit(r, handler);
      return;
    case 'R': {
      const relation = decodeRelation(r);
      r.finish();
      handler.relation(relation);
      return;
    }
    case 'Y':
      decodeType(r, handler);
      return;
    case 'O':
      decodeOrigin(r, handler);
      return;
    case 'T':
      decodeTruncate(r, lsnHi, lsnLo, handler);
      return;
    case 'M':
      decodeLogicalMessage(r, handler);
      return;
    default:
      handler.unknown(tag);
  }
}

function decodeBegin(r: MessageReader, handler: PgoutputHandler): void {
  const hi = r.uint32('the final LSN'),
    lo = r.uint32('the final LSN'),
    time = r.int64('the commit time'),
    xid = r.uint32('the transaction id');
  r.finish();
  handler.begin(hi, lo, time, xid);
}

function decodeCommit(r: MessageReader, handler: PgoutputHandler): void {
  const flags = r.byte('the flags'),
    lsn = r.lsn('the LSN'),
    endLsn = r.lsn('the end LSN'),
    time = r.int64('the commit time');
  r.finish();
  handler.commit(flags, lsn, endLsn, time);
}

function decodeType(r: MessageReader, handler: PgoutputHandler): void {
  const oid = r.uint32('the type id'),
    schema = r.string('the schema') || 'pg_catalog',
    name = r.string('the type');
  r.finish();
  handler.type(oid, schema, name);
}

function decodeOrigin(r: MessageReader, handler: PgoutputHandler): void {
  const lsn = r.lsn('the LSN'),
    name = r.string('the origin');
  r.finish();
  handler.origin(name, lsn);
}

function decodeTruncate(r: MessageReader, lsnHi: number, lsnLo: number, handler: PgoutputHandler): void {
  const count = r.int32('the number of relations'),
    options = r.byte('the options'),
    oids: number[] = [];
  if (count < 0 || count * OID_BYTES !== r.end - r.at) r.fail(`${count} relations in ${r.end - r.at} bytes`);
  for (let i = 0; i < count; i++) oids.push(r.uint32('a relation id'));
  handler.truncate(lsnHi, lsnLo, oids, (options & CASCADE) !== 0, (options & RESTART_IDENTITY) !== 0);
}

function decodeLogicalMessage(r: MessageReader, handler: PgoutputHandler): void {
  const flags = r.byte('the flags'),
    lsn = r.lsn('the LSN'),
    prefix = r.string('the prefix'),
    content = r.view(r.int32('the length of the content'), 'the content');
  r.finish();
  handler.message(lsn, (flags & TRANSACTIONAL) !== 0, prefix, content);
}
