// Reads batches from one segment file: by its index, in large blocks where records are read in order, alone where they are not.

import { join } from 'node:path';
import { CdcError, type TableSchema } from '../../sdk/index.ts';
import type { LogBatch } from '../change-log.ts';
import { corrupt, readFailed } from './errors.ts';
import { isMissing, type LogFile, type LogFiles } from './files.ts';
import { PlaceReplay, placeAfter } from './place-replay.ts';
import { checkRecord, decodeRecordEvents, decodeSummary, decodeTable, RECORD_HEAD_BYTES, seedOf, WHOLE_FLAG } from './record.ts';
import { indexName, type SegmentHeader, segmentName } from './segment-header.ts';
import { SegmentIndex } from './segment-index.ts';
import { BLOCK_BYTES, scanSegment } from './segment-scan.ts';

/** Lanes that lag read the same segment in different places: each keeps its block. */
const BLOCKS = 4;
const RECENT = 8;

interface Block {
  readonly at: number;
  readonly bytes: Buffer;
}

/** One object per schema, however many segments and processes it went through: encoders keep what they prepared by table. */
export class SchemaPool {
  readonly #schemas = new Map<string, TableSchema>();

  /** The schema of an encoded one; `make` gives it if it is new. */
  intern(encoded: Buffer, make: () => TableSchema): TableSchema {
    const id = encoded.toString('latin1');
    let schema = this.#schemas.get(id);
    if (schema === undefined) {
      schema = make();
      this.#schemas.set(id, schema);
    }
    return schema;
  }
}

export class SegmentReader {
  readonly path: string;
  readonly #files: LogFiles;
  readonly #folder: string;
  readonly #header: SegmentHeader;
  readonly #headerEnd: number;
  readonly #pool: SchemaPool;
  readonly #seed: number;
  #index: SegmentIndex | null = null;
  #places: PlaceReplay | null = null;
  #file: Promise<LogFile> | null = null;
  #blocks: Block[] = [];
  /** Numbers of the records that were read last, to tell reading in order from picking. */
  #recent: number[] = [];
  #tables: (TableSchema | undefined)[] = [];
  /** Calls that are under way: nothing is let go of meanwhile. */
  #busy = 0;
  #unloadDue = false;
  /** Nothing beyond is read: a writer may be at work there. */
  limit = 0;

  constructor(files: LogFiles, folder: string, header: SegmentHeader, headerEnd: number, pool: SchemaPool) {
    this.path = join(folder, segmentName(header.base));
    this.#files = files;
    this.#folder = folder;
    this.#header = header;
    this.#headerEnd = headerEnd;
    this.#pool = pool;
    this.#seed = seedOf(header.log, header.base);
  }

  /** The index, when it is in memory. */
  get index(): SegmentIndex | null {
    return this.#index;
  }

  /** For a segment that is being written or followed: its index grows. */
  use(index: SegmentIndex): void {
    this.#index = index;
    this.#places = new PlaceReplay(this.#header.place, index);
  }

  /** The index of a closed segment of `bytes` bytes: from the file beside it, else from the segment itself. */
  load(bytes: number, rebuilt?: (index: SegmentIndex) => Promise<void>): Promise<SegmentIndex> {
    return this.#working(() => this.#load(bytes, rebuilt));
  }

  async #load(bytes: number, rebuilt?: (index: SegmentIndex) => Promise<void>): Promise<SegmentIndex> {
    if (this.#index !== null) return this.#index;
    this.limit = bytes;
    let index = await this.#loadSidecar(bytes);
    if (index === null) {
      index = SegmentIndex.empty(this.#header.log, this.#header.base, this.#headerEnd);
      const damage = await scanSegment(await this.#open(), index, bytes, this.#seed).catch((error: unknown) => {
        throw readFailed(this.#folder, error);
      });
      if (damage !== null) throw corrupt(this.path, index.end, damage);
      await rebuilt?.(index);
    }
    // Another call may have been faster.
    if (this.index === null) this.use(index);
    return this.index ?? index;
  }

  async #loadSidecar(bytes: number): Promise<SegmentIndex | null> {
    try {
      const file = await this.#files.open(join(this.#folder, indexName(this.#header.base)), 'read');
      try {
        const content = Buffer.alloc(await file.size());
        await file.read(content, 0);
        return SegmentIndex.decode(content, this.#header.log, bytes);
      } finally {
        await file.close();
      }
    } catch (error) {
      // It only saves time: whatever is wrong with it, the segment says the same.
      if (isMissing(error) || error instanceof RangeError || (error as NodeJS.ErrnoException).code !== undefined) return null;
      throw error;
    }
  }

  /** The batch of a record; `load` or `use` comes before. The index may have been let go of since. */
  batch(record: number): Promise<LogBatch> {
    return this.#working(() => this.#batch(record));
  }

  async #batch(record: number): Promise<LogBatch> {
    const index = await this.#load(this.limit),
      at = index.offset(record);
    const bytes = await this.#record(record, index);
    const head = checkRecord(bytes, this.#seed);
    if (head === null || head.seq !== index.firstSeq(record)) throw corrupt(this.path, at, 'the checksum of a record is wrong');
    const before = (this.#places as PlaceReplay).before(record);
    try {
      const { summary, eventsAt } = decodeSummary(bytes);
      for (const number of summary.tables) await this.#loadTable(number, index);
      const events = decodeRecordEvents(bytes, eventsAt, head, summary, (number) => this.#tables[number] as TableSchema);
      const after = placeAfter(before, summary, summary, summary.snapshots);
      const { source, partition, snapshots } = summary,
        whole = (head.flags & WHOLE_FLAG) !== 0;
      const firstSeq = head.seq,
        endSeq = head.seq + head.count;
      return { source, partition, events, bytes: summary.bytes, snapshots, before, after, whole, firstSeq, endSeq };
    } catch (error) {
      if (error instanceof CdcError) throw error;
      throw corrupt(this.path, at, 'a record cannot be decoded', error);
    }
  }

  async #loadTable(number: number, index: SegmentIndex): Promise<void> {
    if (this.#tables[number] !== undefined) return;
    const entry = index.tables[number];
    if (entry === undefined) throw new RangeError(`table ${number} is not in the segment`);
    const bytes = await this.#read(entry.at, entry.bytes, entry.bytes);
    if (checkRecord(bytes, this.#seed) === null) throw corrupt(this.path, entry.at, 'the checksum of a schema is wrong');
    this.#tables[number] = this.#pool.intern(bytes.subarray(RECORD_HEAD_BYTES), () => decodeTable(bytes));
  }

  #record(record: number, index: SegmentIndex): Promise<Buffer> {
    const inOrder = record === 0 || this.#recent.includes(record - 1);
    this.#recent.push(record);
    if (this.#recent.length > RECENT) this.#recent.shift();
    const bytes = index.bytes(record);
    return this.#read(index.offset(record), bytes, inOrder ? Math.max(bytes, BLOCK_BYTES) : bytes);
  }

  async #read(at: number, length: number, ahead: number): Promise<Buffer> {
    let block = this.#blocks.find((b) => at >= b.at && at + length <= b.at + b.bytes.length);
    if (block === undefined) {
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(ahead, this.limit - at)));
      block = { at, bytes: bytes.subarray(0, await this.#fill(bytes, at)) };
      if (block.bytes.length < length) throw corrupt(this.path, at, 'the file ends before the record does');
      if (ahead > length) this.#keep(block);
    }
    return block.bytes.subarray(at - block.at, at - block.at + length);
  }

  #keep(block: Block): void {
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS) this.#blocks.shift();
  }

  async #fill(bytes: Buffer, at: number): Promise<number> {
    try {
      return await (await this.#open()).read(bytes, at);
    } catch (error) {
      throw readFailed(this.#folder, error);
    }
  }

  #open(): Promise<LogFile> {
    this.#file ??= this.#files.open(this.path, 'read').catch((error: unknown) => {
      this.#file = null;
      throw error;
    });
    return this.#file;
  }

  async #working<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
      if (this.#busy === 0 && this.#unloadDue) await this.unload();
    }
  }

  /** Lets go of memory and file, once nobody reads; a later read takes them again. */
  async unload(): Promise<void> {
    this.#unloadDue = this.#busy > 0;
    if (this.#unloadDue) return;
    const file = this.#file;
    this.#file = null;
    this.#blocks = [];
    this.#index = null;
    this.#places = null;
    this.#tables = [];
    await (await file?.catch(() => null))?.close();
  }
}
