// The CRC32 at the end of each event. zlib.crc32 is there since Node 20.15, older than what package.json asks for.

import { crc32 } from 'node:zlib';
import { BinlogError } from './errors.ts';

export const CHECKSUM_BYTES = 4;
/** Of FORMAT_DESCRIPTION in a file that is being written: set after the checksum was made. */
const IN_USE_FLAG = 1;
const FLAGS_AT = 17;

export function hasChecksum(bytes: Buffer, start: number, end: number): boolean {
  const stop = end - CHECKSUM_BYTES;
  return stop > start && crc32(bytes.subarray(start, stop)) === bytes.readUInt32LE(stop);
}

export function checkChecksum(bytes: Buffer, start: number, end: number, type: number): void {
  if (hasChecksum(bytes, start, end)) return;
  throw new BinlogError('checksum', `the CRC32 of an event of type ${type} and ${end - start} bytes is wrong`);
}

/** The same for FORMAT_DESCRIPTION, whose flag was not there yet. */
export function checkFormatChecksum(bytes: Buffer, start: number, end: number, type: number): void {
  if (((bytes[start + FLAGS_AT] as number) & IN_USE_FLAG) === 0) {
    checkChecksum(bytes, start, end, type);
    return;
  }
  const copy = Buffer.from(bytes.subarray(start, end));
  copy[FLAGS_AT] = (copy[FLAGS_AT] as number) & ~IN_USE_FLAG;
  checkChecksum(copy, 0, copy.length, type);
}
