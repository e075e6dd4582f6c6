// Entries in each of the formats: what the destination writes is what the source reads, on a real Redis.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RedisStreamConfig } from '../../../src/destinations/redis-stream/config.ts';
import { descriptor as destinationDescriptor } from '../../../src/destinations/redis-stream/index.ts';
import { additiveOnly, type PointHoldingDestination } from '../../../src/sdk/index.ts';
import { LANE, pointAt } from '../../../src/sdk/testing/batches.ts';
import { Events, item, laneBatch } from '../../../src/sdk/testing/index.ts';
import { Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import type { RedisStreamSourceConfig } from '../../../src/sources/redis-stream/config.ts';
import { descriptor as sourceDescriptor } from '../../../src/sources/redis-stream/index.ts';
import { createRedisDatabase, skipReason } from '../../helpers/redis.ts';
import { redisStreamConfig } from '../../helpers/redis-destination.ts';
import { redisStreamSourceConfig } from '../../helpers/redis-source.ts';

const AVSC = JSON.stringify({
  type: 'record',
  name: 'Item',
  fields: [
    { name: 'id', type: 'int' },
    { name: 'name', type: 'string' },
    { name: 'note', type: ['null', 'string'], default: null },
  ],
});
const PROTO = 'syntax = "proto3"; message Item { int32 id = 1; string name = 2; optional string note = 3; }';

interface Case {
  readonly format: 'json' | 'avro' | 'protobuf' | 'csv';
  readonly schema?: readonly [file: string, text: string];
  readonly source?: Partial<RedisStreamSourceConfig>;
  /** What the format makes of a number. */
  readonly id?: (id: number) => unknown;
}

const CASES: readonly Case[] = [
  { format: 'avro', schema: ['item.avsc', AVSC] },
  { format: 'protobuf', schema: ['item.proto', PROTO] },
  { format: 'csv', source: { csv: { columns: ['id', 'name', 'note'], delimiter: ',', quote: '"', null_value: '' } }, id: String },
];

describe.skipIf((await skipReason()) !== null)('entries of a stream', () => {
  it.each(CASES)('are written and read as $format', async ({ format, schema, source, id = (n) => n }) => {
    await using db = await createRedisDatabase();
    const folder = mkdtempSync(join(tmpdir(), 'cdc-redis-'));
    try {
      const file = schema && join(folder, schema[0]);
      if (file !== undefined) writeFileSync(file, schema?.[1] ?? '');
      const formats = { message_format: format, ...(file === undefined ? {} : { value_schema: file }) } as Partial<RedisStreamConfig>;
      const destination = (await destinationDescriptor.create(redisStreamConfig(db.url, { stream_name: '{table}', ...formats }), {
        ...testContext('out'),
        schemaEvolution: additiveOnly,
      })) as PointHoldingDestination;
      const e = new Events(),
        events = [e.create(item(1, 'one', 'a, "note"')), e.create(item(2, 'zwei €')), e.update(item(1, 'one'), item(1, 'uno', 'x'))];
      await destination.claim(LANE, 1);
      await destination.setPoints(LANE, 1, [pointAt(0)]);
      const batch = laneBatch(events, { previous: pointAt(0), through: pointAt(1) });
      expect(await destination.write(batch, new AbortController().signal)).toEqual({ kind: 'stored' });
      await destination.close();

      const reads = await sourceDescriptor.create(
        redisStreamSourceConfig(db.url, { stream_name: 'items', ...formats, ...source } as Partial<RedisStreamSourceConfig>),
        testContext('in'),
      );
      const reader = new Reader(reads, { until: {} }),
        { events: found, rejected } = await reader.toEnd();
      await reads.close();
      expect(rejected).toEqual([]);
      const row = (n: number, name: string, note: string | null) => expect.objectContaining({ id: id(n), name, note }) as unknown;
      expect(found.map((f) => f.after)).toEqual([row(1, 'one', 'a, "note"'), row(2, 'zwei €', null), row(1, 'uno', 'x')]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it('takes no format whose readers would have no schema', () => {
  const validate = (changes: Partial<RedisStreamConfig>) =>
    destinationDescriptor.validate?.(redisStreamConfig('redis://localhost', changes))?.map((p) => p.message);
  expect(validate({ message_format: 'avro' })).toEqual(['Avro without a schema registry leaves nobody able to read the messages']);
  expect(validate({ message_format: 'json' })).toEqual([]);
});
