// GTIDs of both servers: where transactions begin, and what a file has behind it.
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Gtid__event.html
// https://mariadb.com/docs/server/reference/clientserver-protocol/replication-protocol/gtid_event

import { formatUuid, MysqlGtidSet } from '../gtid-set.ts';
import type { EventHeader, GtidEvent, MariadbGtidEvent, MariadbGtidListEvent, PreviousGtidsEvent } from './events.ts';
import type { EventReader } from './reader.ts';
import { safeSignedVarint, safeVarint } from './serialized.ts';

const UUID_BYTES = 16;
/** Marks that the two logical times follow. */
const LOGICAL_TIMES = 2;
const LOGICAL_TIMES_BYTES = 17,
  COMMIT_TIME_BYTES = 7;
/** In the upper bytes of the first commit time: another one, of the first server, follows. */
const HAS_ORIGINAL = 0x80_00_00;

/** GTID and ANONYMOUS_GTID. What follows the number came with later versions and may be missing. */
export function decodeGtid(header: EventHeader, r: EventReader, isAnonymous: boolean): GtidEvent {
  r.byte('the flags');
  const uuid = formatUuid(r.view(UUID_BYTES, 'the UUID')),
    gno = r.uint64('the number');
  let lastCommitted = 0,
    sequenceNumber = 0,
    immediateCommitUs: number | null = null,
    originalCommitUs: number | null = null,
    transactionLength: number | null = null;
  if (r.left >= LOGICAL_TIMES_BYTES && r.byte('the kind of times') === LOGICAL_TIMES) {
    lastCommitted = r.uint64('the logical time');
    sequenceNumber = r.uint64('the logical time');
    if (r.left >= COMMIT_TIME_BYTES) {
      const low = r.uint32('the commit time'),
        high = r.uint24('the commit time');
      immediateCommitUs = (high & ~HAS_ORIGINAL) * 2 ** 32 + low;
      originalCommitUs = (high & HAS_ORIGINAL) === 0 ? immediateCommitUs : r.uint56('the commit time');
      if (r.left > 0) transactionLength = r.packedInteger('the length of the transaction');
    }
  }
  const gtid = isAnonymous ? null : { uuid, tag: '', gno };
  return { kind: 'gtid', header, gtid, lastCommitted, sequenceNumber, immediateCommitUs, originalCommitUs, transactionLength };
}

/** Numbers of the fields of GTID_TAGGED; each comes at most once, in this order. */
const Field = {
  flags: 0,
  uuid: 1,
  gno: 2,
  tag: 3,
  lastCommitted: 4,
  sequenceNumber: 5,
  immediateCommit: 6,
  originalCommit: 7,
  transactionLength: 8,
  immediateVersion: 9,
  originalVersion: 10,
  ticket: 11,
} as const;
const SERIALIZATION_VERSION = 1,
  LONGEST_TAG = 32;

export function decodeTaggedGtid(header: EventHeader, r: EventReader): GtidEvent {
  const start = r.at;
  if (safeVarint(r, 'the version') !== SERIALIZATION_VERSION) r.fail('unknown serialization');
  const size = safeVarint(r, 'the size'),
    message = r.part(size - (r.at - start), 'the message');
  // The last field that a reader must know, counted from 1.
  if (safeVarint(message, 'the last field') > Field.ticket + 1) r.fail('a field that is not known and may not be passed over');
  const numbers = new Map<number, number>();
  let uuid = '',
    tag = '';
  while (message.left > 0) {
    const field = safeVarint(message, 'a field');
    if (field === Field.uuid) uuid = formatUuid(Buffer.from(Array.from({ length: UUID_BYTES }, () => safeVarint(message, 'the UUID'))));
    else if (field === Field.tag) tag = message.text(tagLength(message), 'the tag');
    else if (field === Field.gno || field === Field.lastCommitted || field === Field.sequenceNumber)
      numbers.set(field, safeSignedVarint(message, 'a number'));
    else if (field <= Field.originalVersion) numbers.set(field, safeVarint(message, 'a number'));
    // The ticket groups commits on the server; what follows is of later versions, and may be passed over.
    else break;
  }
  const gno = numbers.get(Field.gno),
    immediateCommitUs = numbers.get(Field.immediateCommit) ?? null;
  if (uuid === '' || gno === undefined) return r.fail('a GTID without UUID or number');
  return {
    kind: 'gtid',
    header,
    gtid: { uuid, tag, gno },
    lastCommitted: numbers.get(Field.lastCommitted) ?? 0,
    sequenceNumber: numbers.get(Field.sequenceNumber) ?? 0,
    immediateCommitUs,
    originalCommitUs: numbers.get(Field.originalCommit) ?? immediateCommitUs,
    transactionLength: numbers.get(Field.transactionLength) ?? null,
  };
}

function tagLength(r: EventReader): number {
  const length = safeVarint(r, 'the length of the tag');
  return length > LONGEST_TAG ? r.fail(`a tag of ${length} bytes`) : length;
}

const BOUNDS_BYTES = 16;
const TAGGED_FORMAT = 1n;

/** One entry per UUID, or per UUID and tag, once the server has seen a tag. The end of an interval is not in it. */
export function decodePreviousGtids(header: EventHeader, r: EventReader): PreviousGtidsEvent {
  const set = new MysqlGtidSet(),
    head = r.bigUint64('the number of UUIDs'),
    format = head >> 56n;
  if (format > TAGGED_FORMAT) r.fail(`a GTID set in the unknown format ${format}`);
  const isTagged = format === TAGGED_FORMAT,
    count = isTagged ? (head >> 8n) & 0xffff_ffff_ffffn : head;
  for (let i = 0n; i < count; i++) {
    const uuid = formatUuid(r.view(UUID_BYTES, 'a UUID')),
      tag = isTagged ? r.text(tagLength(r), 'a tag') : '',
      intervals = r.uint64('the number of intervals');
    if (intervals > r.left / BOUNDS_BYTES) r.fail(`${intervals} intervals`);
    for (let k = 0; k < intervals; k++) {
      const first = r.uint64('an interval'),
        behind = r.uint64('an interval');
      if (first < 1 || behind <= first) r.fail(`an interval from ${first} to ${behind}`);
      set.addInterval(uuid, tag, first, behind - 1);
    }
  }
  return { kind: 'previous_gtids', header, gtids: set.toString() };
}

const STANDALONE = 1,
  DDL = 32,
  PREPARED_XA = 64,
  COMPLETED_XA = 128;

/** What follows the flags (commit id, XID) is of no use here. */
export function decodeMariadbGtid(header: EventHeader, r: EventReader): MariadbGtidEvent {
  const sequence = r.uint64('the sequence number'),
    domain = r.uint32('the domain'),
    flags = r.byte('the flags');
  const xa = (flags & PREPARED_XA) !== 0 ? 'prepared' : (flags & COMPLETED_XA) !== 0 ? 'completed' : null;
  return {
    kind: 'mariadb_gtid',
    header,
    domain,
    server: header.serverId,
    sequence,
    standalone: (flags & STANDALONE) !== 0,
    isDdl: (flags & DDL) !== 0,
    xa,
  };
}

/** The upper four bits are flags of the replica. */
const LIST_COUNT = 0x0fff_ffff,
  LIST_ENTRY_BYTES = 16;

export function decodeMariadbGtidList(header: EventHeader, r: EventReader): MariadbGtidListEvent {
  const count = r.uint32('the number of GTIDs') & LIST_COUNT,
    gtids: string[] = [];
  if (count > r.left / LIST_ENTRY_BYTES) r.fail(`${count} GTIDs`);
  for (let i = 0; i < count; i++) gtids.push(`${r.uint32('the domain')}-${r.uint32('the server')}-${r.uint64('the sequence number')}`);
  return { kind: 'mariadb_gtid_list', header, gtids };
}
