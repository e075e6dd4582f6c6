// Batches as kafkajs reads those that came from brokers.

import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutgoingRecord } from '../../../../src/systems/kafka/client.ts';
import { encodeRecords, frameBatch } from '../../../../src/systems/kafka/record-batch.ts';

interface ReadRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly offset: string;
  readonly timestamp: string;
  readonly headers: Readonly<Record<string, Buffer>>;
}
interface ReadBatch {
  readonly firstSequence: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly maxTimestamp: string;
  readonly records: readonly ReadRecord[];
}

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => object;
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (decoder: object) => Promise<ReadBatch>;

const PLACE = { id: 77n, epoch: 3, sequence: 12 };

const read = (batch: Buffer): Promise<ReadBatch> => decodeBatch(new Decoder(batch));

const record = (init: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  key: Buffer.from('k'),
  value: Buffer.from('v'),
  headers: {},
  timestamp: '1700000000000',
  partition: 0,
  ...init,
});

const frame = (records: readonly OutgoingRecord[]): Buffer => {
  const encoded = encodeRecords(records);
  return frameBatch(encoded, encoded.bytes, 'none', PLACE, () => 0);
};

describe('a batch of records', () => {
  it('tells null from empty, in key and value', async () => {
    const given = [record({ key: null }), record({ value: null }), record({ key: Buffer.alloc(0), value: Buffer.alloc(0) })];
    const { records } = await read(frame(given));
    expect(records.map(({ key, value }) => [key, value])).toEqual(given.map(({ key, value }) => [key, value]));
  });

  it('has the checksum of what comes behind it, and its place in the sequence', async () => {
    let checked = Buffer.alloc(0);
    const encoded = encodeRecords([record()]),
      batch = frameBatch(encoded, encoded.bytes, 'none', PLACE, (bytes) => {
        checked = Buffer.from(bytes);
        return 0xdeadbeef;
      });
    expect(batch.readUInt32BE(17)).toBe(0xdeadbeef);
    expect(checked).toEqual(batch.subarray(21));
    expect(batch.readInt32BE(8)).toBe(batch.length - 12);
    expect(await read(batch)).toMatchObject({ firstSequence: 12, producerId: '77', producerEpoch: 3 });
  });

  it('is read as it was written', async () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b)));
    const headers = fc.dictionary(
      fc.string({ maxLength: 5 }).filter((name) => name !== '__proto__'),
      fc.string({ maxLength: 100 }),
      { maxKeys: 3 },
    );
    const timestamp = fc.oneof(fc.nat(), fc.nat({ max: 4_000_000_000_000 })).map(String);
    const records = fc.array(fc.record({ key: bytes, value: bytes, headers, timestamp, partition: fc.constant(0) }), {
      minLength: 1,
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(records, async (given) => {
        const batch = await read(frame(given));
        expect(batch.maxTimestamp).toBe(String(Math.max(...given.map((r) => Number(r.timestamp)))));
        expect(batch.records).toHaveLength(given.length);
        for (const [i, { key, value, headers: told, timestamp: at, offset }] of batch.records.entries()) {
          const texts = Object.entries(told).map(([name, text]) => [name, String(text)]);
          expect({ key, value, headers: Object.fromEntries(texts) as object, at, offset }).toEqual({
            key: given[i]?.key,
            value: given[i]?.value,
            headers: { ...given[i]?.headers },
            at: given[i]?.timestamp,
            offset: String(i),
          });
        }
      }),
    );
  });
});
