// How a sidecar lies in its file: two slots of the same size, written in turn, so that one of them is whole at any time. Writing one
// is a single write and a sync, without a new file, a rename or a sync of the folder. Pure.
//
// ```
// [{"crc":"8d5f0e6a","generation":41,"state":{…}}          …  ,     one slot: spaces up to its last byte
//  {"crc":"01c2b3d4","generation":42,"state":{…}}          …  ]     the newer one counts
// ```
//
// The file is JSON, for people who look at it. What is behind the second slot are seals: a newer epoch has claimed the lane.

import { crc32 } from 'node:zlib';

/** What disks write whole: a slot never shares a page with the other one. */
const PAGE = 4096;
const CRC_END = '[{"crc":"00000000",'.length;
const SPACE = 0x20;

export interface Slot {
  readonly generation: number;
  /** JSON. */
  readonly state: unknown;
}

/** Twice what is needed now. */
export function slotSizeFor(state: string): number {
  return Math.ceil((Buffer.byteLength(state) * 2 + 256) / PAGE) * PAGE;
}

/** Which of the two slots a generation is written to. */
export function slotOf(generation: number): 0 | 1 {
  return (generation % 2) as 0 | 1;
}

/** One slot; `null` when the state does not fit. `state`: JSON. */
export function slotBytes(generation: number, state: string, size: number): Buffer | null {
  const index = slotOf(generation),
    rest = `"generation":${generation},"state":${state}}`;
  const length = CRC_END + Buffer.byteLength(rest);
  if (length >= size) return null;
  const bytes = Buffer.alloc(size, SPACE);
  bytes.write(rest, CRC_END);
  bytes.write(index === 0 ? ',' : ']', size - 1);
  bytes.write(`${index === 0 ? '[' : ' '}{"crc":"${checksum(bytes)}",`, 0);
  return bytes;
}

/** A new file: the state in the slot of its generation, nothing in the other one. */
export function slotFile(generation: number, state: string, size: number): Buffer {
  const written = slotBytes(generation, state, size) as Buffer,
    other = Buffer.alloc(size, SPACE);
  if (slotOf(generation) === 1) {
    other.write('[null', 0);
    other.write(',', size - 1);
    return Buffer.concat([other, written]);
  }
  other.write(' null', 0);
  other.write(']', size - 1);
  return Buffer.concat([written, other]);
}

export const isSlotFile = (bytes: Buffer): boolean => bytes[0] === 0x5b;

/** The newer one of the slots that are whole; `null` when none is. */
export function readSlots(bytes: Buffer): Slot | null {
  const size = Math.floor(bytes.length / (2 * PAGE)) * PAGE; // without seals
  const slots = [bytes.subarray(0, size), bytes.subarray(size, 2 * size)].map(readSlot).filter((slot) => slot !== null);
  return slots.reduce<Slot | null>((newest, slot) => (newest === null || slot.generation > newest.generation ? slot : newest), null);
}

function readSlot(bytes: Buffer): Slot | null {
  const crc = /^[[ ]\{"crc":"([0-9a-f]{8})",$/.exec(bytes.subarray(0, CRC_END).toString('latin1'))?.[1];
  if (crc === undefined || crc !== checksum(bytes)) return null;
  return JSON.parse(`{${bytes.subarray(CRC_END, -1).toString()}`) as Slot;
}

/** Of everything behind itself. */
function checksum(bytes: Buffer): string {
  return crc32(bytes.subarray(CRC_END)).toString(16).padStart(8, '0');
}
