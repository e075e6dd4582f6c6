// Places in the write-ahead log as text: the commit of the transaction, the change in it, and its number among the changes
// with that LSN (COPY and multi-row inserts have one LSN for many rows). Lower-case hex of fixed width, so byte order is
// delivery order: transactions come in the order of their commits.
//
// | what | text |
// |---|---|
// | third change at 16/B374D700 of the transaction that commits at 16/B374D848 | `00000016b374d848/00000016b374d700/000002` |
// | a transaction done, or a keepalive: everything before 16/B374D878 | `00000016b374d878/0000000000000000/000000` |
// | a message outside of transactions, whose record ends at 16/B374D848 | `00000016b374d848/0000000000000000/000000` |
// | a new shape of a table, before that third change | `00000016b374d848/00000016b374d700/000001.s0000016394` |
//
// A transaction may commit at the very place where a message ends. With the place of the message in the middle part, too, the
// message would sort behind that transaction's changes, and a restart behind it would leave them out.
//
// The first part is what the slot may be told: a transaction whose commit record is AT that LSN is sent again, one whose
// record is before it is not. The number counts all changes that the decoder sees, before any filter of ours, so filters
// may change between runs without moving a place (invariant 2).

import { type Position, type PositionCodec, sortablePositions } from '../../sdk/index.ts';
import { formatLsn, lsnOf, parseLsn } from './lsn.ts';

/** The only partition: the log is one. */
export const PARTITION = 'main';
/** 16 million changes with one LSN; a heap page holds fewer than 300 rows, so one record never has more. */
const MAX_INDEX = 0xff_ffff;
/** Below it an LSN is exact as a number. */
const EXACT_HI = 0x20_0000;
const SLASH = 0x2f;
const AFTER = '/0000000000000000/000000';

export interface LogPlace {
  readonly commit: bigint;
  readonly lsn: bigint;
  readonly index: number;
}

/** The last commit as text: the changes of a transaction follow one another. */
const cache = { hi: -1, lo: -1, text: '' };

/** The place of a change: one call per event. */
export function formatPlace(commitHi: number, commitLo: number, lsnHi: number, lsnLo: number, index: number): Position {
  if (commitHi !== cache.hi || commitLo !== cache.lo) {
    cache.hi = commitHi;
    cache.lo = commitLo;
    cache.text = `${hex8(commitHi)}${hex8(commitLo)}/`;
  }
  if (index > MAX_INDEX) throw new RangeError(`more than ${MAX_INDEX} changes with one LSN`);
  return `${cache.text}${hex8(lsnHi)}${hex8(lsnLo)}/${index.toString(16).padStart(6, '0')}` as Position;
}

/** Everything that committed before `lsn` is done. */
export function positionAfter(lsn: bigint): Position {
  return (hex16(lsn) + AFTER) as Position;
}

/** `null` when the text is no place of ours. What stands behind a dot tells apart what is at one place. */
export function parsePlace(position: string): LogPlace | null {
  const match = /^([0-9a-f]{16})\/([0-9a-f]{16})\/([0-9a-f]{6})(?:\..*)?$/.exec(position);
  if (match === null) return null;
  return { commit: BigInt(`0x${match[1]}`), lsn: BigInt(`0x${match[2]}`), index: Number.parseInt(match[3] as string, 16) };
}

/** What the slot may be told once this is durable: all that committed before it (invariant 1). */
export function confirmable(position: Position): bigint {
  const place = parsePlace(position);
  if (place === null) throw new TypeError(`not a place in the write-ahead log: ${position}`);
  return place.commit;
}

export const logPositions: PositionCodec = {
  ...sortablePositions('LSN'),
  describe(position) {
    const place = parsePlace(position);
    if (place === null) return position;
    if (place.lsn === 0n || place.lsn === place.commit) return `LSN ${formatLsn(place.commit)}`;
    return `LSN ${formatLsn(place.lsn)} in the transaction that commits at ${formatLsn(place.commit)}`;
  },
  parse(text) {
    if (parsePlace(text) !== null) return text as Position;
    const lsn = parseLsn(text.replace(/^LSN\s+/i, ''));
    return lsn === null ? null : positionAfter(lsn);
  },
  bytesBetween(from, to) {
    const [a, b] = [parsePlace(from), parsePlace(to)];
    return a === null || b === null ? null : Math.max(0, Number(b.commit - a.commit));
  },
  // Debezium's `sequence` begins with the last commit before this one, which a position does not know. One call per event: without
  // a regular expression and, as long as numbers are exact, without a bigint.
  fields(position, transactionId = null) {
    if (position.charCodeAt(16) !== SLASH || position.charCodeAt(33) !== SLASH) return {};
    const commit = numberAt(position, 0),
      inner = numberAt(position, 17);
    const lsn = inner === 0 ? commit : inner;
    const txId = transactionId === null ? null : Number(transactionId);
    return { txId, lsn, commit_lsn: commit, sequence: `[null,"${lsn}"]`, xmin: null, origin: null, origin_lsn: null };
  },
};

/** Sixteen hex digits. */
function numberAt(position: string, at: number): number | bigint {
  const hi = Number.parseInt(position.slice(at, at + 8), 16),
    lo = Number.parseInt(position.slice(at + 8, at + 16), 16);
  return hi < EXACT_HI ? hi * 2 ** 32 + lo : lsnOf(hi, lo);
}

function hex16(lsn: bigint): string {
  return lsn.toString(16).padStart(16, '0');
}

function hex8(n: number): string {
  return (n >>> 0).toString(16).padStart(8, '0');
}
