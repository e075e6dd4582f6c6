// Requests of kafkajs with our messages, byte by byte against those with messages as the library makes them.

import { createRequire } from 'node:module';
import type { Message } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import type { OutgoingRecord } from '../../../../src/systems/kafka/client.ts';
import { PartitionMessages } from '../../../../src/systems/kafka/kafkajs-records.ts';

interface ProduceRequest {
  encode(): Promise<{ readonly buffer: Buffer }>;
}

const require = createRequire(import.meta.url);
const produce = require('kafkajs/src/protocol/requests/produce/v7/request.js') as (options: object) => ProduceRequest;

const NONE = 0,
  GZIP = 1;

const record = (init: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  key: Buffer.from('{"id":1}'),
  value: Buffer.from('{"after":{"id":1}}'),
  headers: {},
  timestamp: '1700000000000',
  partition: 2,
  ...init,
});

function ours(records: readonly OutgoingRecord[]): PartitionMessages {
  const messages = new PartitionMessages();
  for (const each of records) messages.push(each as Message);
  return messages;
}

async function bytesOf(messages: readonly object[], compression: number, transactionalId?: string): Promise<Buffer> {
  const topicData = [{ topic: 'orders', partitions: [{ partition: 2, firstSequence: 7, messages }] }];
  const request = produce({ acks: -1, timeout: 30_000, transactionalId, producerId: '77', producerEpoch: 3, compression, topicData });
  return Buffer.from((await request.encode()).buffer);
}

const BATCHES: readonly (readonly [title: string, records: readonly OutgoingRecord[]])[] = [
  ['one record', [record()]],
  ['many records', Array.from({ length: 100 }, (_, i) => record({ key: Buffer.from(String(i)), value: Buffer.alloc(i * 9, 'x') }))],
  [
    'null and empty keys and values',
    [record({ key: null }), record({ value: null }), record({ key: Buffer.alloc(0), value: Buffer.alloc(0) })],
  ],
  ['headers, shared and not', [record({ headers: { a: 'ü', b: '' } }), record({ headers: { a: 'x'.repeat(300) } }), record()]],
  ['timestamps that fall and rise', ['1700000000005', '1700000000000', '1800000000000'].map((timestamp) => record({ timestamp }))],
  ['timestamps of other lengths', ['1000', '0', '999', '1700000000000'].map((timestamp) => record({ timestamp }))],
];

describe('messages of a partition for kafkajs', () => {
  it.each(BATCHES)('become the bytes that the library makes of them: %s', async (_, records) => {
    for (const compression of [NONE, GZIP]) {
      for (const transaction of [undefined, 'cdc']) {
        const [own, theirs] = await Promise.all([ours(records), records].map((list) => bytesOf(list, compression, transaction)));
        expect(own?.equals(theirs as Buffer)).toBe(true);
      }
    }
  });

  it('have their bytes in one piece', () => {
    const pieces = ours([record(), record(), record()]).map(() => ({ buf: Buffer.alloc(1), buffer: Buffer.alloc(1) }));
    expect([pieces.length, Object.keys(pieces)]).toEqual([3, ['0']]);
  });

  it('answer anything else that is asked of each one by one', () => {
    const messages = ours([record({ timestamp: '1' }), record({ timestamp: '2' })]);
    expect(messages.map(({ timestamp }) => timestamp)).toEqual(['1', '2']);
    expect(messages.map(({ value }) => value)).toEqual([record().value, record().value]);
    expect(new PartitionMessages().map(() => 1)).toEqual([]);
  });
});
