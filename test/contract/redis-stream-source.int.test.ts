// The contract suite of the `redis_stream` source against a real Redis: entries of fields, and entries with a message.

import { describe } from 'vitest';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import type { RedisStreamSourceConfig } from '../../src/sources/redis-stream/config.ts';
import { descriptor } from '../../src/sources/redis-stream/index.ts';
import { createRedisDatabase, type RedisDatabase, skipReason } from '../helpers/redis.ts';
import { redisStreamSourceConfig } from '../helpers/redis-source.ts';

const changed = (url: string, parts: Partial<Pick<URL, 'password' | 'port'>>): string => Object.assign(new URL(url), parts).href;

/** Fields of the entry that a change is. */
function fieldsOf(change: Change, isValue: boolean): string[] {
  if (change.op === 'delete') return ['key', JSON.stringify({ id: change.id })];
  if (change.op !== 'insert') throw new Error(`no ${change.op}`);
  const { id, name, note = null } = change;
  if (isValue) return ['key', JSON.stringify({ id }), 'value', JSON.stringify({ id, name, note })];
  return ['id', String(id), 'name', name, ...(note === null ? [] : ['note', note])];
}

/** Ends the connections of sources: theirs have names. */
async function cut({ client }: RedisDatabase): Promise<void> {
  const clients = String(await client.client('LIST')).split('\n');
  for (const line of clients.filter((l) => l.includes('name=cdc-run:'))) {
    const id = /\bid=(\d+)/.exec(line)?.[1];
    await client.call('CLIENT', 'KILL', 'ID', id as string);
  }
}

async function start(changes: Partial<RedisStreamSourceConfig>, isValue: boolean): Promise<SourceHarness> {
  const db = await createRedisDatabase();
  await db.client.set('taken', 'a text');
  const config = (url: string, more: Partial<RedisStreamSourceConfig> = {}): RedisStreamSourceConfig =>
    redisStreamSourceConfig(url, { ...changes, ...more });
  return {
    config: config(db.url),
    unreachable: config(changed(db.url, { port: '1' })),
    forbidden: config(changed(db.url, { password: 'wrong' })),
    misconfigured: config(db.url, { stream_name: 'taken' }),
    ops: isValue ? ['insert', 'delete'] : ['insert'],
    commit: async (all) => {
      const transaction = db.client.multi();
      for (const change of all) transaction.xadd('items', '*', ...fieldsOf(change, isValue));
      await transaction.exec();
    },
    garbage: async () => {
      await db.client.xadd('items', '*', isValue ? 'value' : 'name', isValue ? 'no JSON' : Buffer.from([0xff, 0xfe]));
    },
    cut: () => cut(db),
    close: async () => {
      await db[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf((await skipReason()) !== null)('with a server', () => {
  describeSource(descriptor, () => start({ key_fields: ['id'] }, false), 'fields');
  describeSource(descriptor, () => start({ entry: 'value', max_deliveries: 100 }, true), 'messages');
});
