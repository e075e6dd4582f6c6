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

import { LazyPosition, type Position, type PositionCodec, sortablePositions } from '../../sdk/index.ts';
import { formatLsn, parseLsn } from './lsn.ts';

/** The only partition: the log is one. */
export const PARTITION = 'main';
/** 16 million changes with one LSN; a heap page holds fewer than 300 rows, so one record never has more. */
const MAX_INDEX = 0xff_ffff;
const PLACE_LENGTH = 40,
  LSN_AT = 17;
const AFTER = '/0000000000000000/000000';

export interface LogPlace {
  readonly commit: bigint;
  readonly lsn: bigint;
  readonly index: number;
}

/** A place as `source` blocks show it. */
type LogFields = Readonly<
  Record<'lsn' | 'commit_lsn', number | bigint> & Record<'xmin' | 'origin' | 'origin_lsn', null> & { txId: number | null }
>;

/** What the last place began with: all but the lowest digits of the change stay for many changes in a row. */
const cache = { commitHi: -1, commitLo: -1, lsnHi: -1, lsnHigh: -1, text: '' };
/** Four hex digits by their number, once they were needed: joining ready texts takes a third of the time. */
const digits: string[] = [];

function hex4(n: number): string {
  let text = digits[n];
  if (text === undefined) {
    text = n.toString(16).padStart(4, '0');
    digits[n] = text;
  }
  return text;
}

/** The place of a change as text. */
export function formatPlace(commitHi: number, commitLo: number, lsnHi: number, lsnLo: number, index: number): Position {
  const lsnHigh = lsnLo >>> 16;
  if (commitLo !== cache.commitLo || lsnHigh !== cache.lsnHigh || commitHi !== cache.commitHi || lsnHi !== cache.lsnHi) {
    cache.commitHi = commitHi;
    cache.commitLo = commitLo;
    cache.lsnHi = lsnHi;
    cache.lsnHigh = lsnHigh;
    cache.text = `${hex8(commitHi)}${hex8(commitLo)}/${hex8(lsnHi)}${hex4(lsnHigh)}`;
  }
  if (index > MAX_INDEX) throw new RangeError(`more than ${MAX_INDEX} changes with one LSN`);
  return `${cache.text}${hex4(lsnLo & 0xffff)}/${hex4(index >> 16).slice(2)}${hex4(index & 0xffff)}` as Position;
}

/** The place of a change, as the stream gives its parts. */
export class ChangePlace extends LazyPosition {
  readonly length = PLACE_LENGTH;
  // Signed: small integers to V8, where unsigned ones would each be an object.
  readonly #commitHi: number;
  readonly #commitLo: number;
  readonly #lsnHi: number;
  readonly #lsnLo: number;
  readonly #index: number;

  constructor(commitHi: number, commitLo: number, lsnHi: number, lsnLo: number, index: number) {
    super();
    if (index > MAX_INDEX) throw new RangeError(`more than ${MAX_INDEX} changes with one LSN`);
    this.#commitHi = commitHi | 0;
    this.#commitLo = commitLo | 0;
    this.#lsnHi = lsnHi | 0;
    this.#lsnLo = lsnLo | 0;
    this.#index = index;
  }

  override text(): Position {
    return formatPlace(this.#commitHi, this.#commitLo, this.#lsnHi, this.#lsnLo, this.#index);
  }

  override put(bytes: Uint8Array, at: number): void {
    putHex(bytes, at + 8, this.#commitHi, 8);
    putHex(bytes, at + 16, this.#commitLo, 8);
    bytes[at + 16] = SLASH;
    putHex(bytes, at + 25, this.#lsnHi, 8);
    putHex(bytes, at + 33, this.#lsnLo, 8);
    bytes[at + 33] = SLASH;
    putHex(bytes, at + PLACE_LENGTH, this.#index, 6);
  }

  /** Of a transaction mostly the last eight digits of the change differ. */
  override putOver(bytes: Uint8Array, at: number, other: LazyPosition): void {
    if (!(other instanceof ChangePlace) || other.#lsnHi !== this.#lsnHi) {
      this.put(bytes, at);
      return;
    }
    putHex(bytes, at + 33, this.#lsnLo, 8);
    if (other.#index !== this.#index) putHex(bytes, at + PLACE_LENGTH, this.#index, 6);
  }

  override fields(transactionId: string | null): LogFields {
    return fieldsOf(transactionId, lsnFrom(this.#commitHi, this.#commitLo), lsnFrom(this.#lsnHi, this.#lsnLo));
  }

  override numberBeside(other: LazyPosition): number {
    if (!(other instanceof ChangePlace) || other.#commitLo !== this.#commitLo || other.#commitHi !== this.#commitHi) return -1;
    const lsn = (this.#lsnHi >>> 0) * TWO_32 + (this.#lsnLo >>> 0);
    return lsn > 0 && lsn <= Number.MAX_SAFE_INTEGER ? lsn : -1;
  }
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

/**
 * How far a log must go to hold what the position stands for: behind the first byte of the commit where changes of it were read,
 * since a log that ends at that byte lacks the commit, and another transaction may be written there.
 */
export function reachOf(position: Position): bigint {
  const place = parsePlace(position);
  return place === null || place.lsn === 0n ? confirmable(position) : place.commit + 1n;
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
  // One call per event and envelope: no regular expression, no bigint while a number is exact.
  fields(position, transactionId = null) {
    if (position.length < PLACE_LENGTH || position.charCodeAt(LSN_AT - 1) !== SLASH) return {};
    return fieldsOf(transactionId, lsnIn(position, 0), lsnIn(position, LSN_AT));
  },
};

const SLASH = 0x2f,
  NINE = 0x39,
  ZERO = 0x30,
  TEN_BELOW_A = 0x57;
const TWO_32 = 0x1_0000_0000;
/** High halves from here on are beyond what a number holds exactly. */
const BIG_HI = 0x20_0000;

function lsnIn(text: string, at: number): number | bigint {
  return lsnFrom(uint32In(text, at), uint32In(text, at + 8));
}

function lsnFrom(hi: number, lo: number): number | bigint {
  const high = hi >>> 0,
    low = lo >>> 0;
  return high < BIG_HI ? high * TWO_32 + low : (BigInt(high) << 32n) | BigInt(low);
}

/** The number of the last transaction: the same for many events. */
const transaction = { id: '', number: 0 };

function fieldsOf(transactionId: string | null, commit: number | bigint, lsn: number | bigint): LogFields {
  if (transactionId !== null && transactionId !== transaction.id) {
    transaction.id = transactionId;
    transaction.number = Number(transactionId);
  }
  const txId = transactionId === null ? null : transaction.number;
  return { txId, lsn: lsn === 0 ? commit : lsn, commit_lsn: commit, xmin: null, origin: null, origin_lsn: null };
}

/** Two hex digits by their number, the first one in the lower byte. */
const PAIRS = Uint16Array.from({ length: 256 }, (_, n) => Buffer.from(n.toString(16).padStart(2, '0')).readUInt16LE());

/** `count` hex digits, an even number of them, that end before `end`. */
function putHex(bytes: Uint8Array, end: number, n: number, count: number): void {
  let rest = n;
  for (let at = end - 2; at >= end - count; at -= 2) {
    const pair = PAIRS[rest & 0xff] as number;
    bytes[at] = pair & 0xff;
    bytes[at + 1] = pair >>> 8;
    rest >>>= 8;
  }
}

/** Eight hex digits. */
function uint32In(text: string, at: number): number {
  let n = 0;
  for (let i = at; i < at + 8; i++) {
    const c = text.charCodeAt(i);
    n = (n << 4) | (c <= NINE ? c - ZERO : c - TEN_BELOW_A);
  }
  return n >>> 0;
}

function hex16(lsn: bigint): string {
  return lsn.toString(16).padStart(16, '0');
}

function hex8(n: number): string {
  return (n >>> 0).toString(16).padStart(8, '0');
}
