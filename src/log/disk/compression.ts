// Compression of one record's events. Synchronous, as the log's order is the order of its bytes; done only where it helps.

import * as zlib from 'node:zlib';
import { CdcError } from '../../sdk/index.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** Below this the tables of the compressor weigh more than what it saves. */
const MIN_BYTES = 256;
/** What saves less is not worth the time of unpacking. */
const WORTH = 0.9;
/** Fast: the default level takes three times as long for a few percent. */
const LEVEL = 1;

export const GZIP_FLAG = 2,
  ZSTD_FLAG = 4;

/** Not in the types of the oldest Node that we support, nor in that Node itself. */
interface Zstd {
  zstdCompressSync?(bytes: Uint8Array): Buffer;
  zstdDecompressSync?(bytes: Uint8Array): Buffer;
}
const zstd = zlib as Zstd;

export function assertAvailable(compression: Compression): void {
  if (compression !== 'zstd' || zstd.zstdCompressSync !== undefined) return;
  throw new CdcError('CONFIG_INVALID_VALUE', `zstd needs Node.js 22.15 or newer; this is ${process.version}.`, {
    where: 'log.compression',
    fix: 'Set log.compression to gzip, or run a newer Node.js.',
  });
}

/** The bytes to store, and the flag that says how they are packed. */
export function pack(bytes: Buffer, compression: Compression): { bytes: Buffer; flag: number } {
  if (compression === 'none' || bytes.length < MIN_BYTES) return { bytes, flag: 0 };
  const packed = compression === 'gzip' ? zlib.deflateRawSync(bytes, { level: LEVEL }) : zstd.zstdCompressSync?.(bytes);
  if (packed === undefined || packed.length > bytes.length * WORTH) return { bytes, flag: 0 };
  return { bytes: packed, flag: compression === 'gzip' ? GZIP_FLAG : ZSTD_FLAG };
}

export function unpack(bytes: Buffer, flags: number): Buffer {
  if (flags & GZIP_FLAG) return zlib.inflateRawSync(bytes);
  if (!(flags & ZSTD_FLAG)) return bytes;
  if (zstd.zstdDecompressSync === undefined) {
    throw new CdcError('LOG_UNAVAILABLE', `The change log holds zstd records; Node.js ${process.version} cannot read them.`, {
      where: 'log.compression',
      fix: 'Run Node.js 22.15 or newer.',
    });
  }
  return zstd.zstdDecompressSync(bytes);
}
