// XA transactions between XA PREPARE and their end: kept over restarts, removed once nobody can read their end again, bounded.

import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../src/sdk/index.ts';
import { memoryStore } from '../../../../src/sdk/testing/memory-store.ts';
import { PreparedTransactions, xidOf } from '../../../../src/sources/mysql/prepared.ts';

const place = (number: number): Position => `0001/0000000001:0000000000${number}/0000000001,binlog,1,4,0,,-` as Position;
const EVENTS = [Buffer.from([1, 2, 3]), Buffer.from([0, 255])];

describe('prepared transactions', () => {
  it('are there again after a restart, byte by byte, until their end is acknowledged', async () => {
    const store = memoryStore();
    const first = await PreparedTransactions.load(store);
    expect(await first.keep('a', EVENTS)).toBe(true);
    expect(await first.keep('b', EVENTS)).toBe(true);
    const second = await PreparedTransactions.load(store);
    expect(second.eventsOf('a')).toEqual(EVENTS);
    await second.decide('a', place(500));
    // The end may be read again as long as it is not acknowledged.
    const third = await PreparedTransactions.load(store);
    expect(third.eventsOf('a')).toEqual(EVENTS);
    await third.acknowledged(place(499));
    expect(third.eventsOf('a')).toEqual(EVENTS);
    await third.acknowledged(place(500));
    const fourth = await PreparedTransactions.load(store);
    expect([fourth.eventsOf('a'), fourth.eventsOf('b')]).toEqual([null, EVENTS]);
  });

  it('are replaced when they are read again, and may use a name again', async () => {
    const prepared = await PreparedTransactions.load(memoryStore());
    await prepared.keep('a', EVENTS);
    await prepared.decide('a', place(500));
    await prepared.keep('a', [Buffer.from('new')]);
    await prepared.acknowledged(place(900));
    expect(prepared.eventsOf('a')).toEqual([Buffer.from('new')]);
  });

  it('are refused beyond 16 MiB, with those that are kept', async () => {
    const prepared = await PreparedTransactions.load(memoryStore()),
      large = Buffer.alloc(9 << 20);
    expect(await prepared.keep('a', [large])).toBe(true);
    expect(await prepared.keep('b', [large])).toBe(false);
    expect([prepared.eventsOf('a')?.length, prepared.eventsOf('b')]).toEqual([1, null]);
    await prepared.decide('a', place(500));
    await prepared.acknowledged(place(500));
    expect(await prepared.keep('b', [large])).toBe(true);
  });

  it.each([
    ["XA COMMIT X'61',X'',1", "X'61',X'',1"],
    ["XA COMMIT X'6AfF',X'0b',1 ONE PHASE", "X'6aff',X'0b',1"],
    ["XA ROLLBACK X'',X'',-1", "X'',X'',-1"],
    ["XA COMMIT 'a'", null],
  ])('are named by %s', (sql, xid) => {
    expect(xidOf(sql)).toBe(xid);
  });
});
