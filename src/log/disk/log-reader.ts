// Reads a log without its lock, also while another process writes it: what `consume` and the like show. It sees what the
// writer's slot says is readable, and nothing beyond.

import { join } from 'node:path';
import { CdcError, formatTableId, type Op } from '../../sdk/index.ts';
import type { LogBatch, LogPlace } from '../change-log.ts';
import { corrupt, readFailed, unavailable } from './errors.ts';
import { isMissing, type LogFiles, nodeLogFiles } from './files.ts';
import { PlaceReplay } from './place-replay.ts';
import { OP_BITS, seedOf } from './record.ts';
import { readSegmentStart, type SegmentStart } from './segment-files.ts';
import { SEGMENT_NAME, segmentName } from './segment-header.ts';
import { SegmentIndex } from './segment-index.ts';
import { SchemaPool, SegmentReader } from './segment-reader.ts';
import { scanSegment } from './segment-scan.ts';

export interface ScanOptions {
  /** The first number that is wanted; the oldest when left out. */
  readonly fromSeq?: number;
  /** Nothing that was appended before. */
  readonly fromMs?: number;
  /** The last number that is wanted; what `refresh` saw last when left out. */
  readonly untilSeq?: number;
  /** Tables as `formatTableId` names them. */
  readonly tables?: readonly string[];
  readonly ops?: readonly Op[];
}

export interface Scanned {
  readonly batch: LogBatch;
  /** Which of its events were asked for; `null`: all. */
  readonly indices: readonly number[] | null;
}

interface Followed {
  readonly name: string;
  readonly start: SegmentStart;
  readonly reader: SegmentReader;
  /** `null`: the one that is being written. */
  next: SegmentStart | null;
}

/** Is there a log that can be read? */
export async function hasDiskLog(folder: string, files: LogFiles = nodeLogFiles): Promise<boolean> {
  try {
    return (await files.list(folder)).some((name) => SEGMENT_NAME.test(name));
  } catch (error) {
    if (isMissing(error)) return false;
    throw readFailed(folder, error);
  }
}

export async function openDiskLogReader(folder: string, files: LogFiles = nodeLogFiles): Promise<DiskLogReader> {
  const reader = new DiskLogReader(folder, files);
  await reader.refresh();
  return reader;
}

export class DiskLogReader {
  readonly #folder: string;
  readonly #files: LogFiles;
  readonly #pool = new SchemaPool();
  #segments: Followed[] = [];
  #lastSeq = 0;

  /** Use `openDiskLogReader`. */
  constructor(folder: string, files: LogFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  get #first(): SegmentStart {
    return (this.#segments[0] as Followed).start;
  }
  get id(): string {
    return this.#first.header.log;
  }
  get pipeline(): string {
    return this.#first.header.pipeline;
  }
  get firstSeq(): number {
    return this.#first.header.base;
  }
  /** As of the last `refresh`. */
  get lastSeq(): number {
    return this.#lastSeq;
  }
  /** The place before the first record. */
  get head(): LogPlace {
    return this.#first.header.place;
  }
  /** The place behind the last one, as of the last `refresh`. */
  get tail(): LogPlace {
    const { reader, start } = this.#segments.at(-1) as Followed,
      index = reader.index as SegmentIndex;
    return new PlaceReplay(start.header.place, index).before(index.count);
  }

  /** Looks for what was written and deleted since. */
  async refresh(): Promise<void> {
    try {
      const names = (await this.#files.list(this.#folder)).filter((name) => SEGMENT_NAME.test(name)).sort();
      const known = new Map(this.#segments.map((segment) => [segment.name, segment]));
      const segments: Followed[] = [];
      for (const name of names) {
        const segment = known.get(name) ?? (await this.#follow(name));
        if (segment === null) continue;
        const previous = segments.at(-1);
        if (previous !== undefined && previous.next === null) await this.#close(previous, segment.start);
        segments.push(segment);
      }
      if (segments.length === 0) throw unavailable(this.#folder, 'is not there', 'Check the path, or start the pipeline that writes it');
      for (const { name, reader } of this.#segments) if (!names.includes(name)) await reader.unload();
      this.#assertSameLog(segments);
      this.#segments = segments;
      await this.#extend(segments.at(-1) as Followed);
    } catch (error) {
      throw readFailed(this.#folder, error);
    }
  }

  #assertSameLog(segments: readonly Followed[]): void {
    const id = (this.#segments[0] ?? segments[0])?.start.header.log;
    if (segments.some(({ start }) => start.header.log !== id)) {
      throw unavailable(this.#folder, 'was replaced by another one', 'Begin again with the new log');
    }
  }

  /** `null` when it was deleted after it was listed. */
  async #follow(name: string): Promise<Followed | null> {
    try {
      const start = await readSegmentStart(this.#files, join(this.#folder, name));
      return { name, start, reader: new SegmentReader(this.#files, this.#folder, start.header, start.headerEnd, this.#pool), next: null };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** What was followed so far is complete now. */
  async #close(segment: Followed, next: SegmentStart): Promise<void> {
    segment.next = next;
    await segment.reader.unload();
  }

  async #extend({ start, reader }: Followed): Promise<void> {
    const { header, headerEnd } = start;
    const index = reader.index ?? SegmentIndex.empty(header.log, header.base, headerEnd);
    if (reader.index === null) reader.use(index);
    const { slot } = await readSegmentStart(this.#files, reader.path);
    const file = await this.#files.open(reader.path, 'read');
    try {
      const damage = await scanSegment(file, index, slot.readable, seedOf(header.log, header.base));
      if (damage !== null) throw corrupt(reader.path, index.end, damage);
    } finally {
      await file.close();
    }
    reader.limit = index.end;
    this.#lastSeq = index.nextSeq - 1;
  }

  /** The first number that was appended at `ms` or later; `lastSeq + 1` when none was. */
  async seqAtTime(ms: number): Promise<number> {
    const segment = this.#segments.findLast(({ start }) => start.header.timeMs < ms) ?? (this.#segments[0] as Followed);
    const index = await this.#index(segment),
      record = index.recordAtTime(ms);
    return record < index.count ? index.firstSeq(record) : index.nextSeq;
  }

  /** Batches with at least one event that is wanted, in order. Those of which the index says no are not read. */
  async *scan(options: ScanOptions = {}): AsyncGenerator<Scanned> {
    const { fromSeq, fromMs, tables, ops } = options;
    if (fromSeq !== undefined && fromSeq < this.firstSeq) throw gap(this.#folder, `record ${fromSeq} is`);
    const until = Math.min(options.untilSeq ?? this.#lastSeq, this.#lastSeq),
      from = Math.max(fromSeq ?? this.firstSeq, fromMs === undefined ? 0 : await this.seqAtTime(fromMs));
    const wanted = new Wanted(tables, ops, from, until);
    for (const segment of [...this.#segments]) {
      const { next, start, reader } = segment;
      if (next !== null && next.header.base <= from) continue;
      if (start.header.base > until) return;
      const index = await this.#index(segment),
        matches = wanted.matcher(index);
      for (let record = Math.max(0, index.recordOf(from)); record < index.count && index.firstSeq(record) <= until; record++) {
        if (!matches(record)) continue;
        const batch = await this.#reading(reader.batch(record));
        const indices = wanted.select(batch);
        if (indices === null || indices.length > 0) yield { batch, indices };
      }
      if (next !== null) await reader.unload();
    }
  }

  async #index({ reader, start, next }: Followed): Promise<SegmentIndex> {
    if (next === null) return reader.index as SegmentIndex;
    const index = await this.#reading(reader.load(next.header.previousBytes));
    if (index.nextSeq === next.header.base) return index;
    throw corrupt(
      reader.path,
      index.end,
      `record ${index.nextSeq} is missing before ${segmentName(next.header.base)} (${start.size} bytes)`,
    );
  }

  /** The writer may delete what is old at any time. */
  async #reading<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof CdcError && isMissing(error.cause)) throw gap(this.#folder, 'a segment that was about to be read is');
      throw readFailed(this.#folder, error);
    }
  }

  async close(): Promise<void> {
    for (const { reader } of this.#segments) await reader.unload();
  }
}

function gap(folder: string, what: string): CdcError {
  return new CdcError('STATE_LOG_GAP', `${what} no longer in the change log in ${folder}`, {
    where: 'log',
    fix: 'Begin at the oldest record that is held, or keep more: log.max_age, log.max_bytes.',
  });
}

/** What a scan asks for. */
class Wanted {
  readonly #tables: ReadonlySet<string> | null;
  readonly #ops: ReadonlySet<Op> | null;
  readonly #from: number;
  readonly #until: number;

  constructor(tables: readonly string[] | undefined, ops: readonly Op[] | undefined, from: number, until: number) {
    this.#tables = tables === undefined ? null : new Set(tables);
    this.#ops = ops === undefined ? null : new Set(ops);
    this.#from = from;
    this.#until = until;
  }

  matcher(index: SegmentIndex): (record: number) => boolean {
    const byTable = this.#tables === null ? () => true : index.matcher(this.#tables);
    let mask = 0;
    for (const op of this.#ops ?? (Object.keys(OP_BITS) as Op[])) mask |= OP_BITS[op];
    return (record) => (index.ops(record) & mask) !== 0 && byTable(record);
  }

  select(batch: LogBatch): number[] | null {
    const indices: number[] = [];
    const first = Math.max(0, this.#from - batch.firstSeq),
      last = Math.min(batch.events.length - 1, this.#until - batch.firstSeq);
    for (let i = first; i <= last; i++) {
      const event = batch.events[i] as LogBatch['events'][number];
      if (this.#ops !== null && !this.#ops.has(event.op)) continue;
      if (this.#tables === null || this.#tables.has(formatTableId(event.table.id))) indices.push(i);
    }
    return indices.length === batch.events.length ? null : indices;
  }
}
