// The index of a segment: per record where it is, what it is about and how it moves the place, so that a reader finds and
// skips records without reading them. Kept in memory for the active segment, beside the file for closed ones. One list per
// field: a segment of small batches has a hundred thousand records.

import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';
import type { Position, SnapshotProgress, Value } from '../../sdk/index.ts';
import type { LogPlace } from '../change-log.ts';
import type { Origin } from './event-layout.ts';
import { decodeFrame, encodeFrame, type RecordHead, type Summary } from './record.ts';

/** Grows in memory; from a file they come as they stand there, since a segment of small batches has too many to look at each. */
type Numbers = number[] | Float64Array;

const COLUMNS = ['offsets', 'lengths', 'seqs', 'times', 'ops', 'sets', 'from'] as const;

interface Fields {
  /** The log's id and the segment's size: an index of another file is none. */
  readonly log: string;
  end: number;
  readonly offsets: Numbers;
  readonly lengths: Numbers;
  readonly seqs: Numbers;
  readonly times: Numbers;
  readonly ops: Numbers;
  /** Number of the set of tables in `tableSets`. */
  readonly sets: Numbers;
  /** Number of source and partition in `origins`. */
  readonly from: Numbers;
  readonly resumes: Texts;
  readonly snapshots: [record: number, SnapshotProgress[]][];
  readonly places: [record: number, LogPlace][];
  readonly origins: Origin[];
  /** Of the dictionary: where each schema stands, and how its table is called. */
  readonly tables: { readonly at: number; readonly bytes: number; readonly name: string }[];
  readonly tableSets: number[][];
  nextSeq: number;
  events: number;
}

const NONE: readonly SnapshotProgress[] = [];

export class SegmentIndex {
  readonly #f: Fields;
  readonly #originNumbers = new Map<string, number>();
  readonly #setNumbers = new Map<string, number>();
  readonly #snapshots: Map<number, SnapshotProgress[]>;
  readonly #places: Map<number, LogPlace>;

  private constructor(fields: Fields) {
    this.#f = fields;
    this.#snapshots = new Map(fields.snapshots);
    this.#places = new Map(fields.places);
    for (const [i, { source, partition }] of fields.origins.entries()) this.#originNumbers.set(JSON.stringify([source, partition]), i);
    for (const [i, set] of fields.tableSets.entries()) this.#setNumbers.set(set.join(), i);
  }

  /** Of a segment without records, which end at `end`. */
  static empty(log: string, base: number, end: number): SegmentIndex {
    return new SegmentIndex({
      log,
      end,
      offsets: [],
      lengths: [],
      seqs: [],
      times: [],
      ops: [],
      sets: [],
      from: [],
      resumes: new Texts(),
      snapshots: [],
      places: [],
      origins: [],
      tables: [],
      tableSets: [],
      nextSeq: base,
      events: 0,
    });
  }

  get count(): number {
    return this.#f.offsets.length;
  }
  /** Where the last record ends in the file. */
  get end(): number {
    return this.#f.end;
  }
  /** The number after the last end mark. */
  get nextSeq(): number {
    return this.#f.nextSeq;
  }
  get events(): number {
    return this.#f.events;
  }
  get lastTimeMs(): number | null {
    return this.#f.times.at(-1) ?? null;
  }
  get tables(): Fields['tables'] {
    return this.#f.tables;
  }

  addTable(at: number, bytes: number, name: string): void {
    this.#f.tables.push({ at, bytes, name });
    this.#f.end = at + bytes;
  }

  addBatch(at: number, bytes: number, head: RecordHead, summary: Summary): void {
    const f = this.#f,
      record = f.offsets.length;
    add(f.offsets, at);
    add(f.lengths, bytes);
    add(f.seqs, head.seq);
    add(f.times, head.timeMs);
    add(f.ops, summary.ops);
    add(
      f.sets,
      numberOf(this.#setNumbers, f.tableSets, summary.tables.join(), () => [...summary.tables]),
    );
    const { source, partition } = summary;
    add(
      f.from,
      numberOf(this.#originNumbers, f.origins, JSON.stringify([source, partition]), () => ({ source, partition })),
    );
    f.resumes.push(summary.resume);
    if (summary.snapshots.length > 0) this.#snapshots.set(record, [...summary.snapshots]);
    if (summary.place !== null) this.#places.set(record, summary.place);
    f.end = at + bytes;
    f.nextSeq = head.seq + head.count + 1;
    f.events += head.count;
  }

  offset(record: number): number {
    return this.#f.offsets[record] as number;
  }
  bytes(record: number): number {
    return this.#f.lengths[record] as number;
  }
  firstSeq(record: number): number {
    return this.#f.seqs[record] as number;
  }
  endSeq(record: number): number {
    return (this.#f.seqs[record + 1] ?? this.#f.nextSeq) - 1;
  }
  ops(record: number): number {
    return this.#f.ops[record] as number;
  }
  resume(record: number): Position | null {
    return this.#f.resumes.get(record) as Position | null;
  }
  /** Has it a `resume`? */
  moves(record: number): boolean {
    return this.#f.resumes.has(record);
  }
  /** The same number, the same origin. */
  originNumber(record: number): number {
    return this.#f.from[record] as number;
  }
  origin(record: number): Origin {
    return this.#f.origins[this.#f.from[record] as number] as Origin;
  }
  snapshots(record: number): readonly SnapshotProgress[] {
    return this.#snapshots.size === 0 ? NONE : (this.#snapshots.get(record) ?? NONE);
  }
  place(record: number): LogPlace | null {
    return this.#places.size === 0 ? null : (this.#places.get(record) ?? null);
  }

  /** The record that holds `seq`, which must lie in the segment. */
  recordOf(seq: number): number {
    return lastAtMost(this.#f.seqs, seq);
  }
  /** The first record that was appended at `ms` or later; `count` when none was. */
  recordAtTime(ms: number): number {
    let record = lastAtMost(this.#f.times, ms);
    while (record >= 0 && this.#f.times[record] === ms) record--;
    return record + 1;
  }

  /** Which records have an event of one of these tables: looked up per set of tables, of which there are few. */
  matcher(tables: ReadonlySet<string>): (record: number) => boolean {
    const matches = this.#f.tableSets.map((set) => set.some((number) => tables.has(this.#f.tables[number]?.name ?? '')));
    return (record) => matches[this.#f.sets[record] as number] === true;
  }

  encode(): Buffer {
    const { log, resumes, ...fields } = this.#f;
    const columns = Object.fromEntries(COLUMNS.map((name) => [name, bytesOf(fields[name])]));
    // `of`, not `log` as at first: an older version then sees that this is none of its own.
    const frame = encodeFrame({
      ...fields,
      ...columns,
      of: log,
      texts: resumes.text,
      ends: bytesOf(resumes.ends),
      snapshots: [...this.#snapshots],
      places: [...this.#places],
    });
    const crc = Buffer.alloc(4);
    crc.writeUInt32LE(crc32(frame));
    return Buffer.concat([crc, frame]);
  }

  /** `null` when it is damaged or belongs to other bytes than those of this segment. */
  static decode(bytes: Buffer, log: string, end: number): SegmentIndex | null {
    if (bytes.length < 4 || bytes.readUInt32LE(0) !== crc32(bytes.subarray(4))) return null;
    const { of, texts, ends, ...fields } = decodeFrame(bytes, 4).value as unknown as Fields & { readonly [key: string]: Value };
    // The columns are in the order of bytes of almost all machines; the others read the segment instead.
    if (of !== log || fields.end !== end || endianness() === 'BE') return null;
    const columns = Object.fromEntries(COLUMNS.map((name) => [name, numbersOf(fields[name])])) as Pick<Fields, (typeof COLUMNS)[number]>;
    return new SegmentIndex({ ...fields, ...columns, log, resumes: new Texts(texts as string, numbersOf(ends)) });
  }
}

function bytesOf(numbers: Numbers): Uint8Array {
  return new Uint8Array(Float64Array.from(numbers).buffer);
}

function numbersOf(bytes: unknown): Float64Array<ArrayBuffer> {
  // A copy: what was read need not stand at a multiple of eight.
  return new Float64Array(new Uint8Array(bytes as Uint8Array).buffer);
}

/** An index from a file is complete. */
function add(numbers: Numbers, value: number): void {
  if (!Array.isArray(numbers)) throw new TypeError('an index from a file takes no more records');
  numbers.push(value);
}

/** Many short texts as one, with where each ends: none of them is made before somebody asks for it. */
class Texts {
  #made: (string | null)[] = [];
  readonly #text: string;
  readonly #ends: Float64Array<ArrayBuffer>;

  constructor(text = '', ends = new Float64Array(0)) {
    this.#text = text;
    this.#ends = ends;
  }

  push(text: string | null): void {
    this.#made.push(text);
  }

  get(i: number): string | null {
    if (this.#ends.length === 0) return this.#made[i] ?? null;
    const end = this.#ends[i] as number;
    return end < 0 ? null : this.#text.slice(i === 0 ? 0 : endOf(this.#ends[i - 1] as number), end);
  }

  has(i: number): boolean {
    return this.#ends.length === 0 ? (this.#made[i] ?? null) !== null : (this.#ends[i] as number) >= 0;
  }

  get text(): string {
    return this.#ends.length === 0 ? this.#made.join('') : this.#text;
  }

  get ends(): Float64Array {
    if (this.#ends.length > 0) return this.#ends;
    let end = 0;
    return Float64Array.from(this.#made, (text) => {
      end += text?.length ?? 0;
      return text === null ? -1 - end : end;
    });
  }
}

/** Negative: there is none, and the one before ended at `-1 - end`. */
const endOf = (end: number): number => (end < 0 ? -1 - end : end);

function numberOf<T>(numbers: Map<string, number>, list: T[], id: string, make: () => T): number {
  let number = numbers.get(id);
  if (number === undefined) {
    number = list.length;
    list.push(make());
    numbers.set(id, number);
  }
  return number;
}

/** Index of the last number that is at most `limit`; -1 when all are greater. */
function lastAtMost(sorted: Numbers, limit: number): number {
  let low = 0,
    high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= limit) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}
