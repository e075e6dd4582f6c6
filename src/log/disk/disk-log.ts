// The change log on disk: segments of records that survive the process. What is synced may be acknowledged at the source
// (invariant 1), so a destination that is away never holds up the source, until the log's bound is reached. See README.md.

import { join } from 'node:path';
import { CdcError, type Clock, type Logger, type Random } from '../../sdk/index.ts';
import { Notifier } from '../../util/signal.ts';
import type { DurableLog, LogAppend, LogBatch, LogPlace, LogReader, LogUsage } from '../change-log.ts';
import { entryOf } from '../entry.ts';
import { Readers } from '../readers.ts';
import { assertAvailable, type Compression } from './compression.ts';
import { readFailed, unavailable } from './errors.ts';
import type { LogFiles, LogLock } from './files.ts';
import { Flusher } from './flusher.ts';
import { type OpenedLog, openSegments } from './open.ts';
import { PlaceReplay } from './place-replay.ts';
import { ReadBatches, RecentBatches } from './recent-batches.ts';
import { type Bounds, deletable, isDue, isExceeded, totals } from './retention.ts';
import { RunsBegan } from './runs-began.ts';
import { Segment, SegmentEncoder } from './segment.ts';
import { FORMAT_VERSION, indexName } from './segment-header.ts';
import { SegmentIndex } from './segment-index.ts';
import { SchemaPool } from './segment-reader.ts';
import { writeSidecar } from './sidecar.ts';

export interface DiskLogOptions extends Bounds {
  /** Made if needed, for this user alone. */
  readonly folder: string;
  readonly pipeline: string;
  /** The place a new log begins at. */
  readonly start: LogPlace;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly files: LogFiles;
  /** `os`: readable once written; a power cut may take the last of it. */
  readonly durability: 'fsync' | 'os';
  readonly compression: Compression;
  /** Batches kept in memory: the newest, and all that wait for the disk. */
  readonly cacheBytes: number;
  /** `readableSeq` has grown, or `full` has ended: lanes and readers look again. */
  onSynced(): void;
  /** A flush failed: it is tried again, from what is in memory. */
  onError(error: CdcError): void;
}

/** Closed segments whose index stays in memory. */
const LOADED_SEGMENTS = 4;
const MAX_READ_BYTES = 16 * 1024 * 1024;
/** The age of what an idle log holds is looked at this often. */
const MAX_AGE_CHECK_MS = 60 * 60 * 1000;
const DELETE_AGAIN_MS = 60 * 1000;

export async function openDiskLog(options: DiskLogOptions): Promise<DiskLog> {
  assertAvailable(options.compression);
  const pool = new SchemaPool();
  const opened = await openSegments(options, pool);
  const log = new DiskLog(options, opened, pool);
  await log.start();
  return log;
}

export class DiskLog implements DurableLog {
  readonly id: string;
  readonly #o: DiskLogOptions;
  readonly #pool: SchemaPool;
  readonly #lock: LogLock;
  readonly #segments: Segment[];
  readonly #flusher: Flusher;
  readonly #recent = new RecentBatches();
  readonly #read: ReadBatches;
  readonly #loading = new Map<number, Promise<LogBatch>>();
  readonly #loaded: Segment[] = [];
  readonly #readers = new Readers(() => this.#trim());
  readonly #runs: RunsBegan;
  readonly #synced = new Notifier();
  readonly #stop = new AbortController();
  #encoder: SegmentEncoder;
  #tail: LogPlace;
  #lastSeq: number;
  #readableSeq: number;
  #head: LogPlace;
  #mayForget = false;
  /** Before, nobody has the log yet. */
  #isStarted = false;
  #deleting: Promise<void> = Promise.resolve();
  #aging: Promise<void> = Promise.resolve();

  /** Use `openDiskLog`. */
  constructor(options: DiskLogOptions, { lock, segments, file, dictionary }: OpenedLog, pool: SchemaPool) {
    const active = segments.at(-1) as Segment,
      index = active.reader.index as SegmentIndex;
    this.#o = options;
    this.#pool = pool;
    this.#lock = lock;
    this.#segments = segments;
    this.id = active.header.log;
    this.#head = (segments[0] as Segment).header.place;
    this.#tail = new PlaceReplay(active.header.place, index).before(index.count);
    this.#lastSeq = this.#readableSeq = active.endSeq;
    this.#runs = new RunsBegan(active.header.runs);
    for (let i = 0; i < index.count; i++) this.#runs.follow(index.snapshots(i), index.firstSeq(i));
    this.#read = new ReadBatches(Math.min(options.cacheBytes, MAX_READ_BYTES));
    this.#encoder = new SegmentEncoder(active, index, pool, options.compression);
    for (const [number, content] of dictionary.entries()) this.#encoder.know(content, number);
    const onDone = (endSeq: number): void => this.#done(endSeq);
    this.#flusher = new Flusher({ ...options, onDone, onError: (error) => options.onError(error) }, file && { segment: active, file });
  }

  /** Makes the first segment of a new log, and begins to write. */
  async start(): Promise<void> {
    const active = this.#active;
    if (!active.created) {
      this.#flusher.push(active, Buffer.alloc(0), this.#lastSeq, 0);
      await this.#flusher.flush().catch(async (error: unknown) => {
        await this.#flusher.close().catch(() => undefined);
        this.#lock.release();
        throw readFailed(this.#o.folder, error);
      });
    }
    this.#isStarted = true;
    this.#flusher.start();
    if (this.#o.maxAgeMs !== null) this.#aging = this.#age(this.#o.maxAgeMs);
  }

  get firstSeq(): number {
    return (this.#segments[0] as Segment).header.base;
  }
  get head(): LogPlace {
    return this.#head;
  }
  get lastSeq(): number {
    return this.#lastSeq;
  }
  get tail(): LogPlace {
    return this.#tail;
  }
  get readableSeq(): number {
    return this.#readableSeq;
  }
  get #active(): Segment {
    return this.#segments.at(-1) as Segment;
  }

  /**
   * Also while more waits for the disk than the cache may hold (invariant 5). Age alone never makes it full: waiting would make
   * nothing younger.
   */
  get full(): boolean {
    return this.#flusher.waitingBytes > this.#o.cacheBytes || this.heldBack;
  }

  get heldBack(): boolean {
    return isExceeded(totals(this.#segments), this.#o) && this.#floor() < this.#lastSeq;
  }

  held(): { events: number; bytes: number } {
    return totals(this.#segments);
  }

  /** For warnings and status. `oldestMs`: when the oldest record was appended; `null` when there is none. */
  usage(): LogUsage {
    const { maxBytes, maxEvents } = this.#o,
      oldest = this.#segments[0] as Segment;
    const oldestMs = this.firstSeq > this.#lastSeq ? null : oldest.header.timeMs;
    const floor = this.#floor(),
      needed = totals(this.#segments.filter((s) => s.endSeq > floor));
    return { ...totals(this.#segments), maxBytes, maxEvents, neededBytes: needed.bytes, neededEvents: needed.events, oldestMs };
  }

  /** The number of the batch with which the table's present snapshot run first appeared; 0: before the log, or none. */
  runBegan(source: string, table: string): number {
    return this.#runs.seq(source, table);
  }

  append(batch: LogAppend): LogBatch {
    this.#mayForget = true;
    const timeMs = Math.max(this.#o.clock.now(), this.#active.lastTimeMs);
    if (isDue(this.#active, this.#o, timeMs)) this.#roll(timeMs);
    const entry = entryOf(batch, this.#lastSeq, this.#tail),
      { snapshots, firstSeq, endSeq, bytes } = entry;
    const segment = this.#active;
    this.#encoder.encode(entry, timeMs, (record) => {
      const end = segment.endSeq;
      this.#flusher.push(segment, record, end, record.length + (end === endSeq ? bytes : 0));
    });
    this.#lastSeq = endSeq;
    this.#tail = entry.after;
    this.#runs.follow(snapshots, firstSeq);
    this.#recent.add(entry, bytes);
    return entry;
  }

  #roll(timeMs: number): void {
    const { files, folder, pipeline, compression } = this.#o,
      last = this.#active;
    const segment = new Segment(
      files,
      folder,
      {
        version: FORMAT_VERSION,
        log: this.id,
        pipeline,
        base: this.#lastSeq + 1,
        timeMs,
        place: { sources: this.#tail.sources, snapshots: this.#tail.snapshots },
        runs: this.#runs.list(),
        eventsBefore: last.header.eventsBefore + last.events,
        previousBytes: last.bytes,
      },
      this.#pool,
    );
    const index = SegmentIndex.empty(this.id, segment.header.base, segment.headerEnd);
    segment.setOpen(index);
    this.#encoder = new SegmentEncoder(segment, index, this.#pool, compression);
    this.#segments.push(segment);
    this.#flusher.push(segment, Buffer.alloc(0), this.#lastSeq, 0);
  }

  #done(endSeq: number): void {
    this.#readableSeq = Math.max(this.#readableSeq, endSeq);
    this.#recent.trim(this.#o.cacheBytes, this.#readableSeq, this.#floor());
    this.#trim();
    this.#synced.notify();
    if (this.#isStarted) this.#o.onSynced();
  }

  async synced(signal: AbortSignal): Promise<void> {
    const seq = this.#lastSeq;
    while (this.#readableSeq < seq && !signal.aborted) {
      if (this.#stop.signal.aborted) throw unavailable(this.#o.folder, 'was closed before all was written', 'Start the pipeline again');
      await this.#synced.wait(signal);
    }
  }

  // ---- reading ---------------------------------------------------------------------------------------------------------

  read(seq: number): LogBatch | Promise<LogBatch> | null {
    if (seq > this.#readableSeq) return null;
    if (seq < this.firstSeq) throw gap(seq, this.firstSeq);
    return this.#recent.find(seq) ?? this.#read.find(seq) ?? this.#load(seq);
  }

  async #load(seq: number): Promise<LogBatch> {
    const segment = this.#segments.findLast((s) => s.header.base <= seq) as Segment;
    const index = segment.reader.index ?? (await this.#loadIndex(segment)),
      record = index.recordOf(seq),
      first = index.firstSeq(record);
    let loading = this.#loading.get(first);
    if (loading === undefined) {
      loading = segment.reader.batch(record);
      this.#loading.set(first, loading);
      void loading
        .then((batch) => this.#read.add(batch))
        .catch(() => undefined)
        .finally(() => this.#loading.delete(first));
    }
    return loading;
  }

  async #loadIndex(segment: Segment): Promise<SegmentIndex> {
    const index = await segment.reader.load(segment.bytes, async (rebuilt) => {
      await writeSidecar(this.#o.files, this.#o.folder, segment.header, rebuilt).catch(() => undefined);
    });
    if (!this.#loaded.includes(segment)) this.#loaded.push(segment);
    if (this.#loaded.length > LOADED_SEGMENTS) await this.#loaded.shift()?.reader.unload();
    return index;
  }

  /** All lanes register before the first append: what nobody has registered for may go. */
  reader(from: number): LogReader {
    if (from < this.firstSeq - 1) throw gap(from + 1, this.firstSeq);
    return this.#readers.add(from);
  }

  // ---- forgetting ------------------------------------------------------------------------------------------------------

  #floor(): number {
    return this.#readers.floor(this.#lastSeq);
  }

  #trim(): void {
    // Before the first append the lanes that need what is there may not have registered.
    if (this.#segments.length === 1 || !this.#mayForget) return;
    const count = deletable(this.#segments, Math.min(this.#floor(), this.#readableSeq), this.#o, this.#o.clock.now());
    if (count === 0) return;
    const gone = this.#segments.splice(0, count);
    this.#head = (this.#segments[0] as Segment).header.place;
    for (const segment of gone) this.#deleting = this.#deleting.then(() => this.#delete(segment));
  }

  /** One after the other, each for good: were a later one gone and an earlier one back after a power cut, there would be a hole. */
  async #delete(segment: Segment): Promise<void> {
    const { files, folder, logger, clock } = this.#o,
      { path } = segment.reader;
    await segment.reader.unload();
    while (!this.#stop.signal.aborted) {
      try {
        await files.unlink(path);
        await files.unlink(join(folder, indexName(segment.header.base)));
        await files.syncFolder(folder);
        return;
      } catch (error) {
        logger.warn('a segment of the change log was not deleted, trying again', { path, error: String(error) });
        await clock.sleep(DELETE_AGAIN_MS, this.#stop.signal);
      }
    }
  }

  /** An idle log forgets, too. */
  async #age(maxAgeMs: number): Promise<void> {
    const { clock } = this.#o,
      { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(Math.min(maxAgeMs / 4, MAX_AGE_CHECK_MS), signal);
      if (signal.aborted) return;
      const active = this.#active,
        now = clock.now();
      if (active.endSeq >= active.header.base && now - active.lastTimeMs > maxAgeMs && this.#floor() >= this.#lastSeq) this.#roll(now);
      this.#trim();
    }
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    try {
      await this.#flusher.close();
    } finally {
      this.#stop.abort();
      this.#synced.notify();
      await this.#aging;
      await this.#deleting;
      for (const segment of this.#segments) await segment.reader.unload();
      this.#lock.release();
    }
  }
}

function gap(seq: number, firstSeq: number): CdcError {
  return new CdcError('STATE_LOG_GAP', `record ${seq} is no longer in the change log, which begins at ${firstSeq}`, { where: 'log' });
}
