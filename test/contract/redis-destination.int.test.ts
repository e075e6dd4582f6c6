// The contract suite of the `redis` destination against a real Redis, behind a proxy that can go away and lose replies.

import type { Redis } from 'ioredis';
import { describe } from 'vitest';
import type { RedisConfig } from '../../src/destinations/redis/config.ts';
import { descriptor } from '../../src/destinations/redis/index.ts';
import { WRITE_FENCED } from '../../src/destinations/redis/write-script.ts';
import { parseJson } from '../../src/formats/json-lossless.ts';
import type { Column, ColumnType, Row, TableSchema, Value } from '../../src/sdk/index.ts';
import { type DestinationHarness, describeDestination, TYPE_SAMPLES } from '../../src/sdk/testing/index.ts';
import { createRedisDatabase, redisProxy, skipReason } from '../helpers/redis.ts';
import { redisConfig } from '../helpers/redis-destination.ts';

const changed = (url: string, parts: Partial<Pick<URL, 'password' | 'port'>>): string => Object.assign(new URL(url), parts).href;

/** A value as JSON holds it, as the column's type wants it. */
function fromJson(type: ColumnType, value: Value): Value {
  if (value === null) return null;
  if (type === 'int64' || type === 'uint64') return BigInt(value as number);
  return type === 'bytes' ? new Uint8Array(Buffer.from(value as string, 'base64')) : value;
}

/** A field of a hash, as the column's type wants it. */
function fromField({ type }: Column, bytes: Buffer): Value {
  const text = bytes.toString();
  if (type === 'bytes') return new Uint8Array(bytes);
  if (type === 'json') return JSON.parse(text) as Value;
  if (type === 'boolean') return text === 'true';
  if (type === 'int64') return BigInt(text);
  return ['int16', 'int32', 'float32', 'float64'].includes(type) ? Number(text) : text;
}

async function rowOf(client: Redis, key: string, table: TableSchema, mode: RedisConfig['mode']): Promise<Row> {
  if (mode === 'hash') {
    const fields = await client.hgetallBuffer(key);
    return Object.fromEntries(
      table.columns.map((c) => [c.name, fields[c.name] === undefined ? null : fromField(c, fields[c.name] as Buffer)]),
    );
  }
  const value = parseJson((await client.get(key)) ?? '') as Row,
    row = (mode === 'set' ? value['after'] : value) as Row;
  return Object.fromEntries(table.columns.map((c) => [c.name, fromJson(c.type, row[c.name] ?? null)]));
}

async function start(changes: Partial<RedisConfig>): Promise<DestinationHarness> {
  const db = await createRedisDatabase(),
    proxy = await redisProxy(db.url),
    url = proxy.through(db.url),
    { mode = 'json' } = changes;
  await db.client.script('LOAD', WRITE_FENCED.text);
  const config = (u: string): RedisConfig => redisConfig(u, changes);
  const ops = ['insert', 'update', 'delete', 'move'] as const;
  return {
    config: config(url),
    unreachable: config(changed(url, { port: '1' })),
    forbidden: config(changed(db.url, { password: 'wrong' })),
    ops: mode === 'hash' ? [...ops, 'partial'] : ops,
    rows: async (table) => {
      const keys = await db.client.keys(`${table.id.table}:*`);
      return Promise.all(keys.map((key) => rowOf(db.client, key, table, mode)));
    },
    // A truncate names no rows.
    poison: (e) => e.truncate(),
    types: mode === 'set' ? [] : TYPE_SAMPLES.map((s) => s.column.type),
    outage: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    loseReply: async () => {
      proxy.cutNextCommit = 'after';
    },
    close: async () => {
      await proxy.close();
      await db[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf((await skipReason()) !== null)('with a server', () => {
  // Of a table without a key the pattern names columns: the second row is another version of the first.
  describeDestination(descriptor, () => start({}), 'json');
  describeDestination(descriptor, () => start({ mode: 'hash', ttl: 3_600_000 }), 'hash');
  describeDestination(descriptor, () => start({ mode: 'set' }), 'set');
  describeDestination(descriptor, () => start({ mode: 'hash', keep_point: false }), 'hash without a point');
});
