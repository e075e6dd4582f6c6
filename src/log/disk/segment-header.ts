// The beginning of a segment file: what the segment is, and two slots with how far it was synced. Pure.
//
// | bytes | holds |
// |---|---|
// | 8 | `cdc-log1` |
// | 24 | slot A: readable up to (8), synced up to (8), CRC-32 (4), zero (4) |
// | 24 | slot B, written in turn with A: a torn one leaves the other |
// | 4, 4 | length and CRC-32 of the header |
// | … | the header as JSON, for those who look into the file |

import { crc32 } from 'node:zlib';
import type { LogPlace } from '../change-log.ts';

const MAGIC = Buffer.from('cdc-log1');
export const FORMAT_VERSION = 1;
export const SLOT_BYTES = 24;
const SLOTS_AT = 8,
  LENGTH_AT = SLOTS_AT + 2 * SLOT_BYTES,
  JSON_AT = LENGTH_AT + 8;

/** With which batch the present snapshot run of a table first appeared; 0: before the log. */
export interface RunBegan {
  readonly source: string;
  readonly table: string;
  readonly run: string;
  readonly seq: number;
}

export interface SegmentHeader {
  readonly version: number;
  /** Id of the log. */
  readonly log: string;
  readonly pipeline: string;
  /** The first sequence number that the segment holds. */
  readonly base: number;
  readonly timeMs: number;
  /** The place before `base`. */
  readonly place: LogPlace;
  readonly runs: readonly RunBegan[];
  /** Events appended before this segment since the log began. */
  readonly eventsBefore: number;
  /** Size of the segment before, whether it is still there or not; 0 at the log's beginning. */
  readonly previousBytes: number;
}

/** How far the file may be read by others, and how far it survives a power cut. */
export interface Slot {
  readonly readable: number;
  readonly synced: number;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.alloc(JSON_AT + json.length);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(json.length, LENGTH_AT);
  bytes.writeUInt32LE(crc32(json), LENGTH_AT + 4);
  json.copy(bytes, JSON_AT);
  return bytes;
}

/** How many bytes the header has, by what its first bytes say; `null` when they are not those of a segment. */
export function headerBytes(start: Buffer): number | null {
  if (start.length < JSON_AT || !start.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  return JSON_AT + start.readUInt32LE(LENGTH_AT);
}

/** `null` when it is damaged. */
export function decodeHeader(bytes: Buffer): SegmentHeader | null {
  const length = headerBytes(bytes);
  if (length === null || bytes.length < length) return null;
  const json = bytes.subarray(JSON_AT, length);
  return crc32(json) === bytes.readUInt32LE(LENGTH_AT + 4) ? (JSON.parse(json.toString()) as SegmentHeader) : null;
}

export function encodeSlot(slot: Slot, seed: number): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES);
  bytes.writeDoubleLE(slot.readable, 0);
  bytes.writeDoubleLE(slot.synced, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 16), seed), 16);
  return bytes;
}

/** Slots take turns by a count of writes. */
export function slotOffset(turn: number): number {
  return SLOTS_AT + (turn % 2) * SLOT_BYTES;
}

/** The further of the slots that are whole; the end of the header when none is. */
export function decodeSlots(start: Buffer, seed: number, headerEnd: number): Slot {
  let found: Slot = { readable: headerEnd, synced: headerEnd };
  for (const at of [slotOffset(0), slotOffset(1)]) {
    const bytes = start.subarray(at, at + SLOT_BYTES);
    if (bytes.readUInt32LE(16) !== crc32(bytes.subarray(0, 16), seed)) continue;
    const slot = { readable: bytes.readDoubleLE(0), synced: bytes.readDoubleLE(8) };
    if (slot.readable >= found.readable) found = slot;
  }
  return found;
}

/** `0000000000000042.seg`: text order is number order. */
export function segmentName(base: number): string {
  return `${String(base).padStart(16, '0')}.seg`;
}
export const indexName = (base: number): string => segmentName(base).replace('.seg', '.idx');
export const SEGMENT_NAME = /^\d{16}\.seg$/;
export const TEMPORARY = '.tmp';
