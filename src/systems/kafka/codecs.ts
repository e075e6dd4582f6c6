// Compression of record batches for kafkajs, which has only gzip of its own. Each library is loaded when a batch needs it: what
// is read says itself how it was compressed.
//
// | codec | bytes | library |
// |---|---|---|
// | snappy | Java's xerial framing: a header of 16 bytes, then blocks behind their length; others send one block without a frame | snappy |
// | lz4 | LZ4 frame | lz4-napi |
// | zstd | Zstandard frame | @bokuweb/zstd-wasm; to decompress frames without their size fzstd |
//
// https://github.com/xerial/snappy-java (SnappyOutputStream), https://cwiki.apache.org/confluence/display/KAFKA/KIP-110

import type { KafkaJSCompressionCodec } from './kafkajs-types.ts';
import { load } from './load.ts';

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
/** Magic, version and the oldest version that can read it: both are 1. */
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const ZSTD_LEVEL = 3;

interface Zstd {
  init(): Promise<void>;
  compress(bytes: Uint8Array, level: number): Uint8Array;
}

/** What is between the frames. Pure: the test reads both forms. */
export function xerialBlocks(bytes: Buffer): Buffer[] | null {
  if (bytes.length < XERIAL_HEADER.length || !bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return null;
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER.length; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new RangeError('a block of snappy ends behind its batch');
    blocks.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return blocks;
}

/** One block in a frame, which every client reads. */
export function xerialFrame(block: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(block.length);
  return Buffer.concat([XERIAL_HEADER, length, block]);
}

export const snappyCodec: KafkaJSCompressionCodec = {
  async compress({ buffer }) {
    const { compressSync } = await load('snappy', () => import('snappy'));
    return xerialFrame(compressSync(buffer));
  },
  async decompress(bytes) {
    const { uncompressSync } = await load('snappy', () => import('snappy'));
    const blocks = xerialBlocks(bytes) ?? [bytes];
    return Buffer.concat(blocks.map((block) => uncompressSync(block, { asBuffer: true }) as Buffer));
  },
};

export const lz4Codec: KafkaJSCompressionCodec = {
  async compress({ buffer }) {
    const { compressFrameSync } = await load('lz4-napi', () => import('lz4-napi'));
    return compressFrameSync(buffer);
  },
  async decompress(bytes) {
    const { decompressFrameSync } = await load('lz4-napi', () => import('lz4-napi'));
    return decompressFrameSync(bytes);
  },
};

let zstd: Promise<Zstd> | null = null;

async function loadZstd(): Promise<Zstd> {
  const library = (await load('@bokuweb/zstd-wasm', () => import('@bokuweb/zstd-wasm'))) as unknown as Zstd;
  await library.init();
  return library;
}

export const zstdCodec: KafkaJSCompressionCodec = {
  async compress({ buffer }) {
    zstd ??= loadZstd();
    return Buffer.from((await zstd).compress(buffer, ZSTD_LEVEL));
  },
  async decompress(bytes) {
    // Java streams its frames, which then do not say how long they become: the WASM library cannot read those.
    const { decompress } = await load('fzstd', () => import('fzstd'));
    const out = decompress(bytes);
    return Buffer.from(out.buffer, out.byteOffset, out.length);
  },
};
