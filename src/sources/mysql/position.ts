// Places in the binary log as text: the transaction, by where it begins, and the number of the change in it. Digits of fixed width
// come first, so byte order is the order of the log; what stands behind the comma tells how to go on and what envelopes show.
//
// | what | text |
// |---|---|
// | third change of the transaction at binlog.000003:417607 | `0001/0000000003:0000000417607/0000000003,binlog,1,417900,0,0-1-100,0-1-99` |
// | everything before binlog.000003:418100 | `0001/0000000003:0000000418100/0000000000,binlog,0,418100,0,,0-1-100` |
// | a new shape of a table behind that third change | `0001/0000000003:0000000417607/0000000003.s00001,binlog,…` |
//
// The parts: the history (see below), file and place, number of the change; then the base of the file's name, the server that wrote
// the event, place and row of the event, the transaction's id, and the ids of all that was done before the
// transaction (`-`: they are not known).
//
// The number counts every row of every table and every DDL, before any filter of ours, so filters may change between runs (invariant
// 2); and a replica that logs the same transaction gives its changes the same numbers, however it cuts them into events.
//
// A history is a run of files with growing numbers. Behind a failover, or RESET MASTER, numbers begin anew: reading goes on by the ids
// in the place, and places get the next number of history in front, so that they still grow.

import { LazyPosition, type Position, type PositionCodec } from '../../sdk/index.ts';
import type { LogFile } from './server-facts.ts';

/** The only partition: the log is one. */
export const PARTITION = 'main';
export const FIRST_HISTORY = 1;
/** Of a place that a person wrote: it is one of the log that the server has when reading begins there. */
export const ANY_HISTORY = 0;

const HISTORY_DIGITS = 4,
  FILE_DIGITS = 10,
  PLACE_DIGITS = 13,
  NUMBER_DIGITS = 10;
/** In the place of ids. */
const UNKNOWN = '-';
const ZEROS = '0000000000000';

const pad = (n: number, digits: number): string => {
  const text = `${n}`;
  return text.length >= digits ? text : ZEROS.slice(0, digits - text.length) + text;
};

export interface LogPlace {
  readonly history: number;
  readonly fileNumber: number;
  /** Where the transaction begins, or everything before is done. */
  readonly position: number;
  /** Of the change in its transaction; 0: none, the place is between two. */
  readonly number: number;
  /** What tells apart what is at one place: `.s00001`, `.p000001`; empty for none. */
  readonly mark: string;
  readonly base: string;
  readonly serverId: number;
  readonly eventPosition: number;
  readonly row: number;
  /** Of the transaction; empty: it has none, or there is no transaction. */
  readonly gtid: string;
  /** Ids of what was done before the transaction; `null`: not known. */
  readonly done: string | null;
}

const PLACE = /^(\d{4})\/(\d{10}):(\d{13})\/(\d{10})((?:\.[^,]*)?)(?:,([^,]*),(\d*),(\d*),(\d*),([^,]*),(.*))?$/s;

/** `null` when the text is no place of ours. */
export function parsePlace(text: string): LogPlace | null {
  const match = PLACE.exec(text);
  if (match === null) return null;
  const [, history, fileNumber, position, number, mark = '', base = '', serverId, eventPosition, row, gtid = '', done = UNKNOWN] = match;
  return {
    history: Number(history),
    fileNumber: Number(fileNumber),
    position: Number(position),
    number: Number(number),
    mark,
    base: decodeURIComponent(base),
    serverId: Number(serverId ?? 0),
    eventPosition: Number(eventPosition ?? position),
    row: Number(row ?? 0),
    gtid,
    done: done === UNKNOWN ? null : done,
  };
}

/** Up to the number of the change. */
function transactionPart(history: number, fileNumber: number, position: number): string {
  return `${pad(history, HISTORY_DIGITS)}/${pad(fileNumber, FILE_DIGITS)}:${pad(position, PLACE_DIGITS)}/`;
}
const TRANSACTION_LENGTH = HISTORY_DIGITS + FILE_DIGITS + PLACE_DIGITS + 3;

export function fileName(base: string, number: number): string {
  return `${base}.${pad(number, 6)}`;
}

/** `mysql-bin.000012` → `mysql-bin`, 12; `null` for what is no name of a log. */
export function parseFileName(name: string): { readonly base: string; readonly number: number } | null {
  const match = /^(.+)\.(\d{6,10})$/s.exec(name);
  return match === null ? null : { base: match[1] as string, number: Number(match[2]) };
}

/** Everything before `position` in the file is done; `done`: ids of it. */
export function placeAfter(history: number, file: { base: string; number: number }, position: number, done: string | null): Position {
  const head = transactionPart(history, file.number, position);
  return `${head}${pad(0, NUMBER_DIGITS)},${encodeURIComponent(file.base)},0,${position},0,,${done ?? UNKNOWN}` as Position;
}

/** The part that tells places apart: what is behind it says how to go on there. */
export function sortable(position: string): string {
  const comma = position.indexOf(',');
  return comma < 0 ? position : position.slice(0, comma);
}

/** Another place right behind this one: `mark` as in `.s00001`. */
export function withMark(position: Position, mark: string): Position {
  const at = sortable(position);
  return `${at}${mark}${position.slice(at.length)}` as Position;
}

type Fields = Readonly<Record<string, string | number | bigint | null>>;

/** The transaction that changes are of: what all their places share. */
export class TransactionPlace {
  readonly part: string;
  readonly file: string;
  readonly serverId: number;
  readonly gtid: string;
  /** What stands before the number, between it and the place of the event, and behind the row. */
  readonly head: Buffer;
  readonly middle: Buffer;
  readonly tail: Buffer;
  /** How long a text is without place and row of the event. */
  readonly length: number;
  readonly #middle: string;
  readonly #tail: string;

  constructor(
    history: number,
    file: { readonly base: string; readonly number: number },
    position: number,
    transaction: { readonly serverId: number; readonly gtid: string; readonly done: string | null },
  ) {
    this.part = transactionPart(history, file.number, position);
    this.file = fileName(file.base, file.number);
    this.serverId = transaction.serverId;
    this.gtid = transaction.gtid;
    this.#middle = `,${encodeURIComponent(file.base)},${transaction.serverId},`;
    this.#tail = `,${transaction.gtid},${transaction.done ?? UNKNOWN}`;
    this.head = Buffer.from(this.part);
    this.middle = Buffer.from(this.#middle);
    this.tail = Buffer.from(this.#tail);
    this.length = this.head.length + NUMBER_DIGITS + this.middle.length + 1 + this.tail.length;
  }

  /** Behind the change with this number; `mark` as in `.s00001`. */
  place(number: number, mark: string, eventPosition: number, row: number): Position {
    return `${this.part}${pad(number, NUMBER_DIGITS)}${mark}${this.#middle}${eventPosition},${row}${this.#tail}` as Position;
  }
}

const ZERO = 0x30,
  COMMA = 0x2c;

/** Below, numbers are small integers to V8. */
const SMALL = 1_000_000_000,
  SMALL_DIGITS = 9;

function digitsOf(n: number): number {
  if (n >= SMALL) return SMALL_DIGITS + digitsOf(Math.floor(n / SMALL));
  if (n < 1000) return n < 10 ? 1 : n < 100 ? 2 : 3;
  if (n < 1_000_000) return n < 10_000 ? 4 : n < 100_000 ? 5 : 6;
  return n < 10_000_000 ? 7 : n < 100_000_000 ? 8 : 9;
}

/** The last digit stands before `end`. */
function putDigits(bytes: Uint8Array, end: number, n: number, digits: number): void {
  let rest = n,
    at = end - 1;
  for (const start = end - digits; at >= start && rest >= SMALL; at--) {
    const quotient = Math.floor(rest / 10);
    bytes[at] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  putSmall(bytes, at, rest | 0, end - digits);
}

/** The last digit stands at `last`. Half the time of a division that may have fractions. */
function putSmall(bytes: Uint8Array, last: number, n: number, start: number): void {
  let rest = n;
  for (let at = last; at >= start; at--) {
    const quotient = (rest / 10) | 0;
    bytes[at] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
}

/** The place of a change; its text is made when somebody asks. */
export class ChangePlace extends LazyPosition {
  readonly #transaction: TransactionPlace;
  readonly #number: number;
  readonly #eventPosition: number;
  readonly #row: number;

  constructor(transaction: TransactionPlace, number: number, eventPosition: number, row: number) {
    super();
    this.#transaction = transaction;
    this.#number = number;
    this.#eventPosition = eventPosition;
    this.#row = row;
  }

  override get length(): number {
    return this.#transaction.length + digitsOf(this.#eventPosition) + digitsOf(this.#row);
  }

  override text(): Position {
    return this.#transaction.place(this.#number, '', this.#eventPosition, this.#row);
  }

  override put(bytes: Uint8Array, at: number): void {
    const { head, middle, tail } = this.#transaction;
    bytes.set(head, at);
    let to = at + head.length + NUMBER_DIGITS;
    putDigits(bytes, to, this.#number, NUMBER_DIGITS);
    bytes.set(middle, to);
    to += middle.length + digitsOf(this.#eventPosition);
    putDigits(bytes, to, this.#eventPosition, digitsOf(this.#eventPosition));
    bytes[to++] = COMMA;
    to += digitsOf(this.#row);
    putDigits(bytes, to, this.#row, digitsOf(this.#row));
    bytes.set(tail, to);
  }

  override numberBeside(other: LazyPosition): number {
    if (!(other instanceof ChangePlace) || other.#transaction !== this.#transaction) return -1;
    return other.#eventPosition === this.#eventPosition ? this.#row : -1;
  }

  override putOver(bytes: Uint8Array, at: number): void {
    const { head, middle } = this.#transaction,
      to = at + head.length + NUMBER_DIGITS,
      digits = digitsOf(this.#row);
    putDigits(bytes, to, this.#number, NUMBER_DIGITS);
    putDigits(bytes, to + middle.length + digitsOf(this.#eventPosition) + 1 + digits, this.#row, digits);
  }

  override fields(): Fields {
    const { serverId, gtid, file } = this.#transaction;
    return fieldsOf(serverId, gtid, file, this.#eventPosition, this.#row);
  }
}

function fieldsOf(serverId: number, gtid: string, file: string, position: number, row: number): Fields {
  return { server_id: serverId, gtid: gtid === '' ? null : gtid, file, pos: position, row, thread: null, query: null };
}

/** The order of the log as a number, for the snapshot engine. */
export function placeNumber({ history, fileNumber, position }: Pick<LogPlace, 'history' | 'fileNumber' | 'position'>): bigint {
  return (BigInt(history) << 96n) | (BigInt(fileNumber) << 56n) | BigInt(position);
}

const compareTexts = (a: string, b: string): -1 | 0 | 1 => (a < b ? -1 : a > b ? 1 : 0);

/** Of one source: it learns how long files are, which tells how far two places are apart. */
export class BinlogPositions implements PositionCodec {
  readonly sortable = true;
  #files: readonly LogFile[] = [];

  learn(files: readonly LogFile[]): void {
    this.#files = files;
  }

  compare(a: Position, b: Position): -1 | 0 | 1 {
    return compareTexts(sortable(a), sortable(b));
  }

  covers(point: Position, position: Position): boolean {
    return sortable(position) <= sortable(point);
  }

  describe(position: Position): string {
    const place = parsePlace(position);
    if (place === null) return position;
    const file = fileName(place.base, place.fileNumber),
      gtid = place.gtid === '' ? '' : ` (${place.gtid})`;
    return place.number === 0 ? `${file}:${place.position}` : `${file}:${place.eventPosition}${gtid}, change ${place.number}`;
  }

  parse(text: string): Position | null {
    if (parsePlace(text) !== null) return text as Position;
    const [, name = '', at = ''] = /^(\S+):(\d+)$/.exec(text.trim()) ?? [],
      file = parseFileName(name);
    return file === null ? null : placeAfter(ANY_HISTORY, file, Number(at), null);
  }

  bytesBetween(from: Position, to: Position): number | null {
    const a = parsePlace(from),
      b = parsePlace(to);
    if (a === null || b === null || a.history !== b.history) return null;
    if (compareTexts(sortable(from), sortable(to)) >= 0) return 0;
    if (a.fileNumber === b.fileNumber) return b.position - a.position;
    let bytes = b.position - a.position;
    for (let n = a.fileNumber; n < b.fileNumber; n++) {
      const size = this.#files.find((f) => f.name === fileName(a.base, n))?.size;
      if (size === undefined) return null;
      bytes += size;
    }
    return Math.max(0, bytes);
  }

  fields(position: Position): Fields {
    const place = parsePlace(position);
    if (place === null) return {};
    return fieldsOf(place.serverId, place.gtid, fileName(place.base, place.fileNumber), place.eventPosition, place.row);
  }
}

/** Was the change with this number of the transaction handed over before? `behind`: everything up to there was. */
export class Repeats {
  readonly #part: string;
  readonly #number: number;
  readonly #gtid: string;

  /** `continued`: the place is of another history, so its transaction is known by its id. */
  constructor(behind: Position, isContinued: boolean) {
    const place = parsePlace(behind);
    this.#part = isContinued ? '' : behind.slice(0, TRANSACTION_LENGTH);
    this.#number = place?.number ?? 0;
    this.#gtid = isContinued ? (place?.gtid ?? '') : '';
  }

  /** The last change of the transaction that was handed over: 0 for none, infinity for all. */
  until(transaction: TransactionPlace): number {
    if (this.#gtid !== '') return transaction.gtid === this.#gtid ? this.#number : 0;
    if (transaction.part > this.#part) return 0;
    return transaction.part === this.#part ? this.#number : Number.POSITIVE_INFINITY;
  }
}
