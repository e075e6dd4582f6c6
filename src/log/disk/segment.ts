// A segment as the writer knows it, and the encoding of batches into it.

import { type ChangeEvent, formatTableId, type TableSchema } from '../../sdk/index.ts';
import type { LogBatch } from '../change-log.ts';
import { type Compression, pack } from './compression.ts';
import { EventEncoder } from './event-encoder.ts';
import type { LogFiles } from './files.ts';
import { FrameWriter } from './frame.ts';
import { placeDelta } from './place-replay.ts';
import { BATCH, encodeFrame, encodeRecord, encodeSummary, OP_BITS, type RecordHead, seedOf, TABLE, WHOLE_FLAG } from './record.ts';
import { encodeHeader, type SegmentHeader } from './segment-header.ts';
import type { SegmentIndex } from './segment-index.ts';
import { type SchemaPool, SegmentReader } from './segment-reader.ts';

export class Segment {
  readonly header: SegmentHeader;
  readonly headerEnd: number;
  readonly seed: number;
  readonly reader: SegmentReader;
  /** Size with all that is queued for it. */
  bytes: number;
  /** What is in the file for certain, and what of it survives a power cut. */
  doneBytes: number;
  syncedBytes: number;
  events = 0;
  endSeq: number;
  lastTimeMs: number;
  /** The file is there, under its name, for good. */
  created = false;

  constructor(files: LogFiles, folder: string, header: SegmentHeader, pool: SchemaPool, headerEnd = encodeHeader(header).length) {
    this.header = header;
    this.headerEnd = headerEnd;
    this.seed = seedOf(header.log, header.base);
    this.reader = new SegmentReader(files, folder, header, headerEnd, pool);
    this.bytes = this.doneBytes = this.syncedBytes = headerEnd;
    this.endSeq = header.base - 1;
    this.lastTimeMs = header.timeMs;
  }

  /** It has been written to its end. */
  setClosed(next: SegmentHeader): void {
    this.created = true;
    this.bytes = this.doneBytes = this.syncedBytes = next.previousBytes;
    this.endSeq = next.base - 1;
    this.events = next.eventsBefore - this.header.eventsBefore;
    this.lastTimeMs = next.timeMs;
  }

  /** Its index and what follows from it. */
  setOpen(index: SegmentIndex): void {
    this.reader.use(index);
    this.bytes = index.end;
    this.events = index.events;
    this.endSeq = index.nextSeq - 1;
    this.lastTimeMs = index.lastTimeMs ?? this.header.timeMs;
  }
}

/** Encodes batches for one segment, and keeps its dictionary of tables and its index. */
export class SegmentEncoder {
  readonly #segment: Segment;
  readonly #index: SegmentIndex;
  readonly #pool: SchemaPool;
  readonly #compression: Compression;
  readonly #events: EventEncoder;
  /** By object, which is what nearly all events of a table share, and by content. */
  readonly #numbers = new WeakMap<TableSchema, number>();
  readonly #byContent = new Map<string, number>();

  constructor(segment: Segment, index: SegmentIndex, pool: SchemaPool, compression: Compression) {
    this.#segment = segment;
    this.#index = index;
    this.#pool = pool;
    this.#compression = compression;
    this.#events = new EventEncoder(new FrameWriter());
  }

  get index(): SegmentIndex {
    return this.#index;
  }

  /** The records of the batch: schemas that are new to the segment, then its own. Throws before anything is changed for it. */
  encode(batch: LogBatch, timeMs: number, write: (record: Buffer) => void): void {
    const tables = new Set<number>();
    let ops = 0,
      last: TableSchema | null = null;
    for (const { table, op } of batch.events) {
      ops |= OP_BITS[op];
      if (table === last) continue;
      last = table;
      tables.add(this.#numberOf(table, batch.firstSeq, timeMs, write));
    }
    const { flag, bytes } = this.#encodeEvents(batch.events, batch);
    const { resume, place } = placeDelta(batch.before, batch);
    const summary = { ...batch, resume, place, tables: [...tables].sort((a, b) => a - b), ops };
    const head: RecordHead = {
      kind: BATCH,
      flags: flag | (batch.whole ? WHOLE_FLAG : 0),
      count: batch.events.length,
      seq: batch.firstSeq,
      timeMs,
    };
    const record = encodeRecord(head, [encodeSummary(summary), bytes], this.#segment.seed);
    this.#index.addBatch(this.#segment.bytes, record.length, head, summary);
    this.#segment.events += head.count;
    this.#segment.endSeq = batch.endSeq;
    this.#segment.lastTimeMs = timeMs;
    this.#add(record, write);
  }

  #encodeEvents(events: readonly ChangeEvent[], batch: LogBatch): { bytes: Buffer; flag: number } {
    if (events.length === 0) return { bytes: Buffer.alloc(0), flag: 0 };
    return pack(
      this.#events.encode(events, batch, (table) => this.#numbers.get(table) as number),
      this.#compression,
    );
  }

  #numberOf(table: TableSchema, seq: number, timeMs: number, write: (record: Buffer) => void): number {
    const known = this.#numbers.get(table);
    if (known !== undefined) return known;
    const content = encodeFrame(table);
    let number = this.#byContent.get(content.toString('latin1'));
    if (number === undefined) {
      this.#pool.intern(content, () => table);
      number = this.#index.tables.length;
      const record = encodeRecord({ kind: TABLE, flags: 0, count: number, seq, timeMs }, [content], this.#segment.seed);
      this.#index.addTable(this.#segment.bytes, record.length, formatTableId(table.id));
      this.#add(record, write);
      this.know(content, number);
    }
    this.#numbers.set(table, number);
    return number;
  }

  /** A schema that the segment has already. */
  know(content: Buffer, number: number): void {
    this.#byContent.set(content.toString('latin1'), number);
  }

  #add(record: Buffer, write: (record: Buffer) => void): void {
    this.#segment.bytes += record.length;
    write(record);
  }
}
