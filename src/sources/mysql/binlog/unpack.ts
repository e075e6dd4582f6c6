// MariaDB's packed texts and rows (`log_bin_compress`): a byte with the algorithm and the number of bytes of the length, the
// length, a zlib stream. https://mariadb.com/docs/server/server-management/server-monitoring-logs/binary-log/compressing-events-to-reduce-size-of-the-binary-log

import { inflateSync } from 'node:zlib';
import { BinlogError } from './errors.ts';

const LENGTH_BYTES = 0x07,
  ALGORITHM = 0x70;

/** `maxBytes`: what it may unpack to. */
export function unpack(bytes: Buffer, start: number, end: number, maxBytes: number): Buffer {
  const head = bytes[start] as number,
    lengthBytes = head & LENGTH_BYTES;
  if (end - start < 1 + lengthBytes || lengthBytes < 1 || lengthBytes > 4)
    throw new BinlogError('malformed', 'the head of packed data is cut off');
  if ((head & ALGORITHM) !== 0) throw new BinlogError('unsupported', `data packed by algorithm ${(head & ALGORITHM) >> 4}`);
  const length = bytes.readUIntBE(start + 1, lengthBytes);
  if (length > maxBytes) throw new BinlogError('too_large', `an event unpacks to ${length} bytes, more than ${maxBytes}`);
  let unpacked: Buffer;
  try {
    unpacked = inflateSync(bytes.subarray(start + 1 + lengthBytes, end), { maxOutputLength: Math.max(length, 1) });
  } catch (error) {
    throw new BinlogError('malformed', `packed data that zlib does not read (${(error as Error).message})`);
  }
  if (unpacked.length !== length) throw new BinlogError('malformed', `packed data of ${unpacked.length} bytes instead of ${length}`);
  return unpacked;
}
