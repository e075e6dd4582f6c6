// One record of a segment: a log batch or the schema of a table. Pure.
//
// | bytes | holds |
// |---|---|
// | 4 | CRC-32 of all that follows, begun with the segment's seed, so that bytes of another log or segment never pass |
// | 4 | length of the payload |
// | 1 | kind: 1 batch, 2 schema of a table |
// | 1 | flags: 1 whole, 2 deflate, 4 zstd |
// | 2 | zero |
// | 4 | number of events, or the table's number in the segment |
// | 8 | first sequence number |
// | 8 | time of the append |
// | … | payload. Batch: a frame with the summary, then one with the events. Schema: a frame with the schema |

import { crc32 } from 'node:zlib';
import type { ChangeEvent, Position, SnapshotProgress, TableSchema, Value } from '../../sdk/index.ts';
import type { LogPlace } from '../change-log.ts';
import { unpack } from './compression.ts';
import { decodeEvents } from './event-decoder.ts';
import { FrameReader, FrameWriter } from './frame.ts';
import { readValue, writeValue } from './value-codec.ts';

export const RECORD_HEAD_BYTES = 32;
export const BATCH = 1,
  TABLE = 2;
export const WHOLE_FLAG = 1;
/** `ops` of a summary has one bit per operation. */
export const OP_BITS: Readonly<Record<ChangeEvent['op'], number>> = { c: 1, u: 2, d: 4, r: 8, t: 16, m: 32, s: 64 };

export interface RecordHead {
  readonly kind: number;
  readonly flags: number;
  readonly count: number;
  readonly seq: number;
  readonly timeMs: number;
}

/** What is known of a batch without its events. */
export interface Summary {
  readonly source: string;
  readonly partition: string;
  readonly bytes: number;
  /** Where the partition stands after the batch; `null`: where it stood before. */
  readonly resume: Position | null;
  readonly snapshots: readonly SnapshotProgress[];
  /** The place after the batch, where it is not the one before with `resume` and `snapshots` applied. */
  readonly place: LogPlace | null;
  /** Numbers of the tables that its events have, in the segment's dictionary. */
  readonly tables: readonly number[];
  readonly ops: number;
}

/** `log` and `base` make a segment's records its own. */
export function seedOf(log: string, base: number): number {
  return crc32(`${log}/${base}`);
}

export function encodeRecord(head: RecordHead, payload: readonly Buffer[], seed: number): Buffer {
  const length = payload.reduce((sum, part) => sum + part.length, 0);
  const record = Buffer.allocUnsafe(RECORD_HEAD_BYTES + length);
  record.writeUInt32LE(length, 4);
  record[8] = head.kind;
  record[9] = head.flags;
  record.writeUInt16LE(0, 10);
  record.writeUInt32LE(head.count, 12);
  record.writeDoubleLE(head.seq, 16);
  record.writeDoubleLE(head.timeMs, 24);
  let at = RECORD_HEAD_BYTES;
  for (const part of payload) at += part.copy(record, at);
  record.writeUInt32LE(crc32(record.subarray(4), seed), 0);
  return record;
}

/** Length of the whole record that begins at `at`, by what its head says. */
export function recordBytes(bytes: Buffer, at: number): number {
  return RECORD_HEAD_BYTES + bytes.readUInt32LE(at + 4);
}

/** `null` when the bytes are not what was written. */
export function checkRecord(record: Buffer, seed: number): RecordHead | null {
  if (record.length < RECORD_HEAD_BYTES || record.length !== recordBytes(record, 0)) return null;
  if (record.readUInt32LE(0) !== crc32(record.subarray(4), seed)) return null;
  return {
    kind: record.readUInt8(8),
    flags: record.readUInt8(9),
    count: record.readUInt32LE(12),
    seq: record.readDoubleLE(16),
    timeMs: record.readDoubleLE(24),
  };
}

const writer = new FrameWriter();

export function encodeFrame(value: unknown): Buffer {
  writer.reset();
  writeValue(writer, value);
  return writer.finish();
}

export function decodeFrame(bytes: Buffer, from = 0): { value: Value; end: number } {
  const reader = new FrameReader(bytes, from);
  return { value: readValue(reader), end: reader.end };
}

export function encodeSummary(s: Summary): Buffer {
  return encodeFrame([s.source, s.partition, s.bytes, s.resume, s.snapshots, s.place, s.tables, s.ops]);
}

type SummaryParts = [string, string, number, Position | null, SnapshotProgress[], LogPlace | null, number[], number];

/** The summary of a checked batch record, and where in the record its events begin. */
export function decodeSummary(record: Buffer): { summary: Summary; eventsAt: number } {
  const { value, end } = decodeFrame(record, RECORD_HEAD_BYTES);
  const [source, partition, bytes, resume, snapshots, place, tables, ops] = value as unknown as SummaryParts;
  return { summary: { source, partition, bytes, resume, snapshots, place, tables, ops }, eventsAt: end };
}

export function decodeRecordEvents(
  record: Buffer,
  eventsAt: number,
  head: RecordHead,
  summary: Summary,
  tables: (number: number) => TableSchema,
): ChangeEvent[] {
  if (head.count === 0) return [];
  return decodeEvents(unpack(record.subarray(eventsAt), head.flags), summary, tables);
}

/** The schema of a checked table record. */
export function decodeTable(record: Buffer): TableSchema {
  return decodeFrame(record, RECORD_HEAD_BYTES).value as unknown as TableSchema;
}
