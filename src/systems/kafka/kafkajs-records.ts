// The messages of one partition for kafkajs, which makes a dozen buffers of 512 bytes for each of them (10 µs). It asks for the
// bytes of its messages by `map`: ours answer with those of all at once.

import type * as Library from 'kafkajs';
import type { OutgoingRecord } from './client.ts';
import { encodeRecords } from './record-batch.ts';

/** What the library's encoder is to another one that takes it in. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

const isEncoded = (value: unknown): value is Encoded =>
  typeof value === 'object' && value !== null && Buffer.isBuffer((value as { buf?: unknown }).buf);

/** Before which the library counts: it sorts timestamps as the texts that they are. */
function firstTimestamp(records: readonly OutgoingRecord[]): string {
  let first = records[0]?.timestamp ?? '0';
  for (const { timestamp } of records) if (timestamp < first) first = timestamp;
  return first;
}

/**
 * As many as there are messages, of which the first has the bytes and the others are not there: the library writes how many they are,
 * and then the bytes of each that is.
 */
function encodedRecords(messages: PartitionMessages): Encoded[] {
  const records = messages as unknown as readonly OutgoingRecord[],
    { bytes } = encodeRecords(records, Number(firstTimestamp(records))),
    encoded: Encoded[] = [];
  encoded[0] = { buf: bytes, buffer: bytes };
  encoded.length = records.length;
  return encoded;
}

export class PartitionMessages extends Array<Library.Message> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** Anything else that the library asks of its messages it gets from each of them. */
  override map<T>(of: (message: Library.Message, index: number, all: Library.Message[]) => T): T[] {
    const [first] = this;
    if (first !== undefined && isEncoded(of(first, 0, this))) return encodedRecords(this) as unknown as T[];
    return super.map(of);
  }
}
