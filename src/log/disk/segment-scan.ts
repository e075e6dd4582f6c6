// Goes through the records of a segment one after the other: to build its index, and to find out where its intact part ends.

import { formatTableId } from '../../sdk/index.ts';
import type { LogFile } from './files.ts';
import { BATCH, checkRecord, decodeSummary, decodeTable, RECORD_HEAD_BYTES, type RecordHead, recordBytes, TABLE } from './record.ts';
import type { SegmentIndex } from './segment-index.ts';

/** Read at once: large enough that calls do not count. */
export const BLOCK_BYTES = 1024 * 1024;

/** Adds the records between the index's end and `limit`. Returns what is wrong with the first that is not intact. */
export async function scanSegment(file: LogFile, index: SegmentIndex, limit: number, seed: number): Promise<string | null> {
  const window = new Window(file, limit);
  while (index.end < limit) {
    const at = index.end;
    const head = await window.take(at, RECORD_HEAD_BYTES);
    if (head === null) return 'a record ends beyond the file';
    const record = await window.take(at, recordBytes(head, 0));
    if (record === null) return 'a record ends beyond the file';
    const damage = addRecord(index, at, record, seed);
    if (damage !== null) return damage;
  }
  return null;
}

function addRecord(index: SegmentIndex, at: number, record: Buffer, seed: number): string | null {
  const head = checkRecord(record, seed);
  if (head === null) return 'the checksum of a record is wrong';
  if (head.kind === TABLE) index.addTable(at, record.length, formatTableId(decodeTable(record).id));
  else if (isNext(head, index)) index.addBatch(at, record.length, head, decodeSummary(record).summary);
  else return `record ${head.seq} stands where ${index.nextSeq} belongs`;
  return null;
}

function isNext(head: RecordHead, index: SegmentIndex): boolean {
  return head.kind === BATCH && head.seq === index.nextSeq;
}

/** The part of a file that was read last. */
class Window {
  readonly #file: LogFile;
  readonly #limit: number;
  #at = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(file: LogFile, limit: number) {
    this.#file = file;
    this.#limit = limit;
  }

  /** `null` beyond the limit. */
  async take(at: number, length: number): Promise<Buffer | null> {
    if (at + length > this.#limit) return null;
    if (at < this.#at || at + length > this.#at + this.#bytes.length) {
      const bytes = Buffer.allocUnsafe(Math.min(Math.max(length, BLOCK_BYTES), this.#limit - at));
      this.#bytes = bytes.subarray(0, await this.#file.read(bytes, at));
      this.#at = at;
    }
    const from = at - this.#at;
    return from + length > this.#bytes.length ? null : this.#bytes.subarray(from, from + length);
  }
}
