// Records as a batch of Kafka's format 2, for clients that take batches as bytes. Pure.
// https://kafka.apache.org/documentation/#recordbatch
//
// One buffer is filled for all records of a partition, in place of several small ones for each: a third of the time.

import type { Compression, OutgoingRecord } from './client.ts';
import { CODECS } from './kafkajs-types.ts';

/** What the broker knows the producer by; -1 for one that is not idempotent. */
export interface ProducerPlace {
  readonly id: bigint;
  readonly epoch: number;
  /** Number of the first record. */
  readonly sequence: number;
}

/** Records one behind the other, not compressed yet. */
export interface EncodedRecords {
  readonly bytes: Buffer;
  /** The same with room for the head of a batch before them. */
  readonly withRoom: Buffer;
  readonly count: number;
  readonly firstTimestamp: bigint;
  readonly maxTimestamp: bigint;
}

const MAGIC = 2;
const HEAD_BYTES = 61;
/** Where the part begins that the checksum is of. */
const CHECKED_FROM = 21;
/** Length, attributes, two deltas, two lengths and a count: seven numbers of at most ten bytes. */
const RECORD_HEAD_BYTES = 70;
/** In 31 bits, doubled for the sign, a number has at most 5 bytes. */
const SMALL = 2 ** 30;

const zigzag = (n: number): number => (n << 1) ^ (n >> 31);

function sizeOf(n: number): number {
  let rest = zigzag(n) >>> 0,
    size = 1;
  for (; rest > 127; rest >>>= 7) size++;
  return size;
}

class Writer {
  readonly bytes: Buffer;
  at = 0;

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafe(length);
  }

  /** A number of 31 bits. */
  varint(n: number): void {
    let rest = zigzag(n) >>> 0;
    for (; rest > 127; rest >>>= 7) this.bytes[this.at++] = (rest & 127) | 128;
    this.bytes[this.at++] = rest;
  }

  /** Any number of 64 bits. */
  varlong(n: number): void {
    if (n > -SMALL && n < SMALL) {
      this.varint(n);
      return;
    }
    let rest = BigInt.asUintN(64, (BigInt(n) << 1n) ^ (BigInt(n) >> 63n));
    for (; rest > 127n; rest >>= 7n) this.bytes[this.at++] = Number(rest & 127n) | 128;
    this.bytes[this.at++] = Number(rest);
  }

  /** Null is -1, which is not empty. */
  lengthAnd(bytes: Buffer | null): void {
    if (bytes === null) {
      this.varint(-1);
      return;
    }
    this.varint(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Buffer): void {
    bytes.copy(this.bytes, this.at);
    this.at += bytes.length;
  }
}

function varlongSize(n: number): number {
  if (n > -SMALL && n < SMALL) return sizeOf(n);
  let rest = BigInt.asUintN(64, (BigInt(n) << 1n) ^ (BigInt(n) >> 63n)),
    size = 1;
  for (; rest > 127n; rest >>= 7n) size++;
  return size;
}

function encodeHeaders(headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers).map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const),
    writer = new Writer(5 + entries.reduce((sum, [name, value]) => sum + name.length + value.length + 10, 0));
  writer.varint(entries.length);
  for (const [name, value] of entries) {
    writer.lengthAnd(name);
    writer.lengthAnd(value);
  }
  return writer.bytes.subarray(0, writer.at);
}

/** `first`: the timestamp that those of the records are told from. */
export function encodeRecords(records: readonly OutgoingRecord[], first = Number(records[0]?.timestamp ?? 0)): EncodedRecords {
  let room = HEAD_BYTES,
    max = first,
    known: OutgoingRecord['headers'] | null = null,
    headers: Buffer = Buffer.alloc(0);
  // Most records of a batch share one object of headers.
  const headersOf = (record: OutgoingRecord): Buffer => {
    if (record.headers !== known) {
      known = record.headers;
      headers = encodeHeaders(known);
    }
    return headers;
  };
  for (const record of records)
    room += RECORD_HEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0) + headersOf(record).length;
  const writer = new Writer(room);
  writer.at = HEAD_BYTES;
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as OutgoingRecord,
      { key, value } = record,
      encoded = headersOf(record),
      timestamp = Number(record.timestamp),
      delta = timestamp - first;
    if (timestamp > max) max = timestamp;
    const keyBytes = key === null ? 1 : sizeOf(key.length) + key.length,
      valueBytes = value === null ? 1 : sizeOf(value.length) + value.length;
    writer.varint(1 + varlongSize(delta) + sizeOf(i) + keyBytes + valueBytes + encoded.length);
    writer.bytes[writer.at++] = 0;
    writer.varlong(delta);
    writer.varint(i);
    writer.lengthAnd(key);
    writer.lengthAnd(value);
    writer.raw(encoded);
  }
  const withRoom = writer.bytes.subarray(0, writer.at),
    bytes = withRoom.subarray(HEAD_BYTES);
  return { bytes, withRoom, count: records.length, firstTimestamp: BigInt(first), maxTimestamp: BigInt(max) };
}

/** The batch around records that `compression` was applied to; where that left them as they are, they are not copied. */
export function frameBatch(
  records: EncodedRecords,
  compressed: Buffer,
  compression: Compression,
  producer: ProducerPlace,
  crc32c: (bytes: Buffer) => number,
): Buffer {
  const isAsIs = compressed === records.bytes,
    batch = isAsIs ? records.withRoom : Buffer.allocUnsafe(HEAD_BYTES + compressed.length);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  // The leader's epoch: not known, and not asked for.
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(MAGIC, 16);
  batch.writeInt16BE(CODECS[compression], CHECKED_FROM);
  batch.writeInt32BE(records.count - 1, 23);
  batch.writeBigInt64BE(records.firstTimestamp, 27);
  batch.writeBigInt64BE(records.maxTimestamp, 35);
  batch.writeBigInt64BE(producer.id, 43);
  batch.writeInt16BE(producer.epoch, 51);
  batch.writeInt32BE(producer.sequence, 53);
  batch.writeInt32BE(records.count, 57);
  if (!isAsIs) compressed.copy(batch, HEAD_BYTES);
  batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), 17);
  return batch;
}
