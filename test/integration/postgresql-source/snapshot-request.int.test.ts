// What operators ask of snapshots, against a real server.

import { describe, expect, it } from 'vitest';
import type { ChangeBatch, SnapshotAction, SnapshotProgress, SnapshotReceipt } from '../../../src/sdk/index.ts';
import { positionsAfter } from '../../../src/sdk/testing/reading.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { areDone, SourceWorld } from './source-world.ts';

const ROWS = 5000;
const ITEMS = `CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, ${ROWS}) AS i`;
const SMALL: PostgresqlSourceConfig['snapshot'] = {
  chunk_rows: 100,
  chunk_bytes: 1 << 20,
  workers: 2,
  tables: ['*.*'],
  where: {},
  on_error: 'pause',
};

let requests = 0;
const ask = (world: SourceWorld, action: SnapshotAction, where: string | null = null, tables = ['items']): Promise<SnapshotReceipt> =>
  world.source.snapshot?.({ id: `r${++requests}`, action, tables, where }) ?? Promise.reject(new Error('it cannot'));

const runsOf = (batches: readonly ChangeBatch[]): SnapshotProgress[] =>
  batches.flatMap((b) => b.snapshots ?? []).filter((s) => s.chunk === 0);
const readOf = (world: SourceWorld, run: string): number =>
  world.events.filter((e) => e.op === 'r' && e.snapshot !== false && e.snapshot.run === run).length;
const lastRun = (world: SourceWorld): SnapshotProgress => runsOf(world.batches).at(-1) as SnapshotProgress;
const hasRuns =
  (world: SourceWorld, count: number) =>
  (_: unknown, progress: readonly SnapshotProgress[]): boolean =>
    runsOf(world.batches).length === count && areDone(progress);

describe.skipIf((await skipReason()) !== null)('a snapshot on request', () => {
  it('reads a table again for all destinations while changes come', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    const reader = await world.open();
    await world.take(reader, hasRuns(world, 1), 'the first rows');
    expect(await ask(world, 'begin')).toEqual({ tables: ['public.items'] });
    await world.db.query("UPDATE items SET name = 'new' WHERE id = 7");
    await world.take(reader, hasRuns(world, 2), 'the rows again');
    expect(lastRun(world).joining).toBeUndefined();
    expect(readOf(world, lastRun(world).run)).toBe(ROWS);
    expect(world.events.filter((e) => e.op === 'u')).toHaveLength(1);
  });

  it('reads the rows that match a condition', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    const reader = await world.open();
    await world.take(reader, hasRuns(world, 1), 'the first rows');
    await ask(world, 'begin', 'id > 4990 -- the newest');
    await world.take(reader, hasRuns(world, 2), 'some rows again');
    expect(readOf(world, lastRun(world).run)).toBe(10);
  });

  it('waits with a condition until the run of all rows is done', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    const reader = await world.open();
    await world.take(reader, (events) => events.length > 0, 'a chunk');
    await ask(world, 'begin', 'id <= 20');
    await world.take(reader, hasRuns(world, 2), 'both runs');
    expect(runsOf(world.batches).map((s) => readOf(world, s.run))).toEqual([ROWS, 20]);
  });

  it('is taken up by the next start when the process ends before anybody was told', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    await world.take(await world.open(), hasRuns(world, 1), 'the first rows');
    await ask(world, 'begin');
    const again = await world.open();
    await world.take(again, hasRuns(world, 2), 'the rows again');
    expect(readOf(world, lastRun(world).run)).toBe(ROWS);
  });

  it('begins again after a crash that nobody acknowledged, and not after one behind the acknowledgement', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    const reader = await world.open();
    await world.take(reader, hasRuns(world, 1), 'the first rows');
    await ask(world, 'begin');
    await world.take(reader, hasRuns(world, 2), 'the rows again');
    const second = await world.open();
    await world.take(second, hasRuns(world, 3), 'the rows once more');
    await world.source.acknowledge(positionsAfter(world.batches));
    const third = await world.open();
    await world.db.query("INSERT INTO items VALUES (9999, 'last')");
    await world.take(third, (events) => events.some((e) => e.op === 'c'), 'a change');
    expect(runsOf(world.batches)).toHaveLength(3);
  });

  it('is paused through a restart, goes on where it was, and a change gets past it', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    const reader = await world.open();
    await world.take(reader, (events) => events.length > 0, 'a chunk');
    await ask(world, 'pause');
    const paused = await world.open();
    await world.db.query("INSERT INTO items VALUES (9999, 'past it')");
    await world.take(paused, (events) => events.some((e) => e.op === 'c'), 'the change');
    expect(world.events.filter((e) => e.op === 'r').length).toBeLessThan(ROWS);
    await ask(world, 'resume');
    await world.take(paused, (_, progress) => areDone(progress), 'the rest');
    const ids = new Set(world.events.filter((e) => e.op === 'r').map((e) => e.after?.['id']));
    expect([...ids].filter((id) => id !== 9999)).toHaveLength(ROWS);
  });

  it('is given up by skip, and says so', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    const reader = await world.open();
    await world.take(reader, (events) => events.length > 0, 'a chunk');
    await ask(world, 'skip');
    await world.take(reader, (_, progress) => areDone(progress), 'the end');
    expect(world.batches.flatMap((b) => b.snapshots ?? []).at(-1)).toMatchObject({ state: 'skipped' });
    expect(world.events.length).toBeLessThan(ROWS);
  });

  it('reads tables that are not read otherwise', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot_mode: 'never', snapshot: SMALL });
    const reader = await world.open();
    await world.take(reader, () => world.batches.length > 0, 'the beginning');
    await world.db.query("INSERT INTO items VALUES (9999, 'x')");
    await world.take(reader, (events) => events.length > 0, 'a change');
    expect(runsOf(world.batches)).toEqual([]);
    await ask(world, 'begin', 'id <= 10');
    await world.take(reader, hasRuns(world, 1), 'some rows');
    expect(readOf(world, lastRun(world).run)).toBe(10);
  });

  it('ends a run to the present although a table is paused', async () => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    await world.take(await world.open(), (events) => events.length > 0, 'a chunk');
    await ask(world, 'pause');
    const reader = await world.open({ until: await world.source.end() });
    await world.take(reader, () => false, 'the end');
    expect(world.batches.flatMap((b) => b.snapshots ?? []).at(-1)).toMatchObject({ state: 'running' });
  });

  it.each([
    ['a table that is not captured', ['nothing'], null, 'The source captures no table "nothing"'],
    ['a column that is not there', ['items'], 'nothing = 1', 'column "nothing" does not exist'],
    ['a second statement', ['items'], 'true); DROP TABLE items; SELECT (1', 'cannot insert multiple commands'],
    ['a condition that ends early', ['items'], 'true) OR (', 'The condition cannot be asked'],
  ])('refuses %s', async (_, tables, where, message) => {
    await using world = await SourceWorld.create(ITEMS, { tables: ['items'], snapshot: SMALL });
    await world.open();
    await expect(ask(world, 'begin', where, tables)).rejects.toMatchObject({
      code: 'SOURCE_SNAPSHOT_REFUSED',
      message: expect.stringContaining(message),
    });
  });
});
