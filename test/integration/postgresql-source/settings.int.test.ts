// Settings that change what is done at the server, or what becomes of a table that cannot be read.

import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/sdk/index.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';
import { areDone, SourceWorld } from './source-world.ts';

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)';

describe.skipIf((await skipReason()) !== null)('heartbeat', () => {
  it('writes messages into the log, which move the place and are nobody’s events', async () => {
    await using world = await SourceWorld.create(TABLE, { tables: ['t'], heartbeat: { interval: 100, prefix: 'beat' } });
    const other = `${world.slot}_other`;
    await world.db.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [other]);
    try {
      const reader = await world.open();
      await world.take(reader, (_, progress) => areDone(progress), 'the rows');
      await world.db.query('CREATE PUBLICATION p');
      const first = world.batches.at(-1)?.resume ?? '';
      const written = async (): Promise<number> => {
        const sql = `SELECT count(*)::int AS n FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'p',
          'messages', 'true') WHERE get_byte(data, 0) = 77 AND position('beat'::bytea IN data) > 0`;
        return (await world.db.query<{ n: number }>(sql, [other]))[0]?.n ?? 0;
      };
      while ((await written()) < 3) await systemClock.sleep(100);
      const events = await world.take(reader, () => (world.batches.at(-1)?.resume ?? '') > first, 'a later place');
      expect(events.map((e) => e.op)).toEqual(['r']);
    } finally {
      await world.db.query('SELECT pg_drop_replication_slot($1)', [other]);
    }
  });
});

describe.skipIf((await skipReason()) !== null)('slot_drop_on_stop', () => {
  it.each([true, false])('%s', async (isDropped) => {
    await using world = await SourceWorld.create(TABLE, { tables: ['t'], slot_drop_on_stop: isDropped });
    await world.take(await world.open(), (_, progress) => areDone(progress), 'the rows');
    await world.stop();
    expect(await world.db.query('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [world.slot])).toHaveLength(isDropped ? 0 : 1);
  });
});

describe.skipIf((await skipReason()) !== null)('snapshot.on_error', () => {
  const worldWith = (on_error: PostgresqlSourceConfig['snapshot']['on_error']): Promise<SourceWorld> =>
    SourceWorld.create(`${TABLE}; CREATE TABLE bad (id int PRIMARY KEY); INSERT INTO bad VALUES (1)`, {
      tables: ['t', 'bad'],
      snapshot: { ...POSTGRESQL_SOURCE_DEFAULTS.snapshot, where: { bad: '1 / (id - id) = 1' }, on_error },
    });

  it('skip: the table is given up, the other is read, and changes of both come', async () => {
    await using world = await worldWith('skip');
    const reader = await world.open();
    await world.take(reader, (_, progress) => progress.length === 2 && areDone(progress), 'the end of both');
    expect(world.source.snapshots?.().find((s) => s.table === 'public.bad')?.error).toMatch(/division by zero/);
    await world.db.query('INSERT INTO t VALUES (2); INSERT INTO bad VALUES (2)');
    const events = await world.take(reader, (e) => e.some((x) => x.table.id.table === 'bad'), 'a change');
    expect(events.map((e) => [e.op, e.table.id.table, e.after?.['id']])).toEqual([
      ['r', 't', 1],
      ['c', 't', 2],
      ['c', 'bad', 2],
    ]);
  });

  it('pause: it waits, also through a restart, and goes on once it can be read', async () => {
    await using world = await worldWith('pause');
    const reader = await world.open();
    await world.take(reader, (e) => e.length > 0, 'the rows of the other table');
    while (world.source.snapshots?.().some((s) => s.state === 'paused') !== true) await systemClock.sleep(20);
    const events = await world.take(
      await world.open({}, { snapshot: POSTGRESQL_SOURCE_DEFAULTS.snapshot }),
      (_, progress) => progress.length === 2 && areDone(progress),
      'the end of both',
    );
    expect(
      events
        .filter((e) => e.op === 'r')
        .map((e) => e.table.id.table)
        .sort(),
    ).toEqual(['bad', 't']);
  });

  it('stop: the reading ends', async () => {
    await using world = await worldWith('stop');
    const reading = world.take(await world.open(), (_, progress) => progress.length === 2 && areDone(progress), 'the end of both');
    await expect(reading).rejects.toMatchObject({ code: 'SOURCE_DATA_INVALID', message: expect.stringContaining('division by zero') });
  });
});
