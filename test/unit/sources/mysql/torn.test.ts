// Transactions that a crash of the server cut off in its log: what was read of them never happened. Nothing of them may stay, nothing
// beside them may be lost or come twice, and what has gone out already is said.

import { describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../../../src/sdk/index.ts';
import type { Between } from '../../../../src/sources/mysql/reading-options.ts';
import { column, type TestTable } from '../../../helpers/binlog.ts';
import { ITEMS, log, ReadingWorld } from '../../../helpers/binlog-reading.ts';

const row = (id: number) => ({ id, a: id });
const seen = (e: ChangeEvent): unknown => (e.op === 's' ? `${e.op} ${e.schemaChange?.kind}` : e.after?.['id']);
const WIDER: TestTable = { ...ITEMS, id: 2, columns: [...ITEMS.columns, column.int('b')] };

describe('a transaction that the end of a file cuts off', () => {
  it('does not go out, and what is around it goes out once', async () => {
    const world = new ReadingWorld(),
      reading = await world.open();
    await world.read(
      reading,
      [log.file(1), log.begin(1), log.insert(ITEMS, row(1)), log.commit(500)],
      [log.begin(2), log.insert(ITEMS, row(2), row(3))],
      [log.file(2), log.begin(2), log.insert(ITEMS, row(4)), log.commit(300)],
    );
    expect(world.events.map(seen)).toEqual([1, 4]);
    expect(world.events.map((e) => e.transaction?.last)).toEqual([true, true]);
    expect(world.rejected).toEqual([]);
    expect(world.resume).toMatch(/^0001\/0000000002:0000000000300\/0000000000,binlog,0,300,0,,0-1-2$/);
  });

  it('is said when some of it has gone out, again behind a restart, and its rest does not go out', async () => {
    const world = new ReadingWorld(),
      torn = [log.begin(1), log.insert(ITEMS, row(1), row(2), row(3), row(4))];
    await world.read(await world.open({ maxBatchEvents: 2 }), [log.file(1), ...torn]);
    expect(world.events.map(seen)).toEqual([1, 2]);
    // As if the process had been killed here: the server is asked for what is behind the last whole transaction.
    await world.read(await world.open({ maxBatchEvents: 2 }), [log.file(1), ...torn, log.file(2)]);
    expect(world.events.map(seen)).toEqual([1, 2]);
    expect(world.rejected).toHaveLength(1);
    expect(world.rejected[0]?.error.message).toMatch(/A crash of the server cut it off/);
  });

  it('is not said when nothing of it has gone out', async () => {
    const world = new ReadingWorld();
    await world.read(await world.open(), [log.file(1), log.begin(1), log.insert(ITEMS, row(1))]);
    await world.read(await world.open(), [log.file(1), log.begin(1), log.insert(ITEMS, row(1)), log.file(2)]);
    expect([world.events, world.rejected]).toEqual([[], []]);
  });

  it('does not take with it the shape that was met in it', async () => {
    const world = new ReadingWorld();
    await world.read(
      await world.open(),
      [
        [...log.file(1), log.begin(1), ...log.insert(ITEMS, row(1)), log.commit(500)],
        [log.begin(2), ...log.insert(WIDER, { id: 2, a: 2, b: 2 })],
        [...log.file(2), log.begin(2), ...log.insert(WIDER, { id: 3, a: 3, b: 3 }), log.commit(300)],
      ].flat(),
    );
    expect(world.events.map(seen)).toEqual([1, 's alter', 3]);
  });

  it('leaves nothing at the reader of existing rows', async () => {
    const told: string[] = [];
    const note = (what: string) => () => void told.push(what);
    const snapshots: Between = {
      hasDue: false,
      due: async function* () {},
      progress: () => null,
      readAgain: note('again'),
      stop: note('stop'),
      begin: note('begin'),
      row: (op, _, __, image) => void told.push(`${op} ${image?.column('id')}`),
      commit: note('commit'),
      abort: note('abort'),
      reached: () => undefined,
    };
    const world = new ReadingWorld();
    await world.read(
      await world.open({ snapshots }),
      [
        [...log.file(1), log.begin(1), ...log.insert(ITEMS, row(1))],
        [...log.file(2), log.begin(1), ...log.insert(ITEMS, row(2)), log.commit(300)],
      ].flat(),
    );
    expect(told).toEqual(['begin', 'c 1', 'abort', 'begin', 'c 2', 'commit']);
  });
});
