// When a reading asks the server for more, and what it says is under way. The client is one that notes its commands and gives replies.

import { describe, expect, it } from 'vitest';
import { openMessageDecoder } from '../../../../src/formats/create.ts';
import type { ChangeBatch, ReadContext } from '../../../../src/sdk/index.ts';
import { testContext } from '../../../../src/sdk/testing/reading.ts';
import { valueDecoder } from '../../../../src/sources/redis-stream/decode.ts';
import { Group } from '../../../../src/sources/redis-stream/group.ts';
import { Reading } from '../../../../src/sources/redis-stream/reading.ts';
import { Receipts } from '../../../../src/sources/redis-stream/receipts.ts';
import type { Client } from '../../../../src/systems/redis/client.ts';
import { redisStreamSourceConfig } from '../../../helpers/redis-source.ts';

const NAMES = { stream: 'items', group: 'g', consumer: 'c' };
const AT_ONCE = 2;

/** Replies of XREADGROUP for new entries, by the ids in them; then nothing. */
class Server {
  readonly asked: string[] = [];
  readonly #replies: number[][];

  constructor(replies: number[][]) {
    this.#replies = replies;
  }

  callBuffer(command: string, args: readonly (string | number)[]): Promise<unknown> {
    if (command === 'XAUTOCLAIM') {
      this.asked.push('claim');
      return Promise.resolve([Buffer.from('0-0'), []]);
    }
    if (args.at(-1) !== '>') return Promise.resolve(null);
    this.asked.push(args.includes('BLOCK') ? 'wait' : 'look');
    const ids = this.#replies.shift() ?? [];
    return Promise.resolve(ids.length === 0 ? null : [[Buffer.from('items'), ids.map(entryOf)]]);
  }
}

const entryOf = (id: number): unknown => [Buffer.from(`${id}-0`), [Buffer.from('value'), Buffer.from(`{"id":${id}}`)]];

interface World {
  readonly server: Server;
  readonly reading: Reading;
  next(): Promise<unknown[]>;
  time: number;
}

async function world(replies: number[][], maxDeliveries: number | null = null): Promise<World> {
  const server = new Server(replies),
    component = testContext('redis'),
    decoder = valueDecoder('items', await openMessageDecoder(redisStreamSourceConfig(''), component));
  const self: Omit<World, 'reading' | 'next'> = { server, time: 0 },
    clock = { ...component.clock, now: () => self.time };
  const ctx = { maxBatchEvents: AT_ONCE, maxBatchBytes: 1 << 20, until: null } as ReadContext,
    shared = { source: 'redis', stream: 'items', claimAfterMs: 60_000, maxDeliveries, clock, decoder };
  const options = { ...shared, group: new Group(NAMES), receipts: new Receipts(1) },
    reading = new Reading(options, server as unknown as Client, ctx, new AbortController().signal),
    batches = reading.batches();
  const next = async (): Promise<unknown[]> => ((await batches.next()).value as ChangeBatch).events.map((e) => e.after?.['id']);
  return Object.assign(self, { reading, next });
}

describe('a reading', () => {
  it('looks for more while a full reply is worked on, and waits behind one that is not', async () => {
    const { server, reading, next } = await world([[1, 2], [3, 4], [5], [6]]);
    expect(await next()).toEqual([1, 2]);
    expect(server.asked).toEqual(['claim', 'wait', 'look']);
    expect(reading.waiting()).toEqual(['3-0', '4-0']);
    expect(await next()).toEqual([3, 4]);
    expect(await next()).toEqual([5]);
    expect(server.asked).toEqual(['claim', 'wait', 'look', 'look']);
    expect(reading.waiting()).toEqual([]);
    expect(await next()).toEqual([6]);
    expect(server.asked.at(-1)).toBe('wait');
  });

  it('has nothing in hand when it looks for what the dead left', async () => {
    const self = await world([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    await self.next();
    self.time = 60_000;
    expect(await self.next()).toEqual([3, 4]);
    expect(self.server.asked).toEqual(['claim', 'wait', 'look']);
    expect(await self.next()).toEqual([5, 6]);
    expect(self.server.asked).toEqual(['claim', 'wait', 'look', 'claim', 'wait', 'look']);
  });

  it('takes nothing that it may not work on where deliveries are counted', async () => {
    const { server, next } = await world(
      [
        [1, 2],
        [3, 4],
      ],
      5,
    );
    expect(await next()).toEqual([1, 2]);
    expect(await next()).toEqual([3, 4]);
    expect(server.asked).toEqual(['claim', 'wait', 'wait']);
  });
});
