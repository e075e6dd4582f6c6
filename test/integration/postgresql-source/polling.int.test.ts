// Polling a real server: what is held back while others write, and what cannot be polled.

import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/sdk/index.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { SourceWorld } from './source-world.ts';

const polling = (column: string, type: 'timestamp' | 'integer' | 'text', settle = 0): Partial<PostgresqlSourceConfig> => ({
  tables: ['items'],
  cdc_mode: 'polling',
  watermark: { column, type, settle },
});
const ids = (world: SourceWorld): unknown[] => world.events.map((e) => e.after?.['id']);

describe.skipIf((await skipReason()) !== null)('a polled PostgreSQL source', () => {
  it.each([
    ['a time', 'at timestamptz NOT NULL DEFAULT now()', 'at', 'timestamp'],
    ['a transaction id', 'xid xid8 NOT NULL DEFAULT pg_current_xact_id()', 'xid', 'integer'],
  ] as const)('does not read beyond a transaction that writes: %s', async (_, definition, column, type) => {
    await using world = await SourceWorld.create(`CREATE TABLE items (id int PRIMARY KEY, ${definition})`, polling(column, type));
    const slow = await world.db.connect();
    await slow.query('BEGIN');
    await slow.query('INSERT INTO items VALUES (1)');
    // Behind the slow one by its watermark, and committed before it.
    await world.db.query('INSERT INTO items VALUES (2)');
    const reader = await world.open();
    const first = reader.next('a row').then((batch) => (batch === null ? [] : world.batches.push(batch)));
    await systemClock.sleep(500);
    expect(world.batches).toEqual([]);
    await slow.query('COMMIT');
    await first;
    await world.take(reader, (events) => events.length >= 2, 'both rows');
    expect(ids(world)).toEqual([1, 2]);
  });

  it('holds rows back until they have settled', async () => {
    await using world = await SourceWorld.create(
      'CREATE TABLE items (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())',
      polling('at', 'timestamp', 700),
    );
    await world.db.query('INSERT INTO items VALUES (1)');
    const began = systemClock.now();
    await world.take(await world.open(), (events) => events.length >= 1, 'the row');
    expect(systemClock.now() - began).toBeGreaterThan(400);
  });

  it('reads to the end of a run, ties by key included, and goes on behind it', async () => {
    await using world = await SourceWorld.create(
      "CREATE TABLE items (id int PRIMARY KEY, at timestamp NOT NULL); INSERT INTO items SELECT i, '2024-01-01' FROM generate_series(1, 2500) i",
      polling('at', 'timestamp'),
    );
    const end = async (): Promise<void> => {
      await world.open();
      const until = await world.source.end();
      await world.take(await world.open({ until }), () => false, 'the end');
    };
    await end();
    expect(ids(world)).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1));
    await world.db.query("INSERT INTO items VALUES (9999, '2024-01-01'), (0, '2024-01-02')");
    await end();
    expect(ids(world).slice(2500)).toEqual([9999, 0]);
  });

  it.each([
    ['no column', 'id int PRIMARY KEY', polling('at', 'timestamp'), 'no column "at"'],
    ['no key', 'id int, at timestamptz', polling('at', 'timestamp'), 'no primary key'],
    ['another type', 'id int PRIMARY KEY, at text', polling('at', 'timestamp'), 'no timestamp'],
    ['a text in an order of the server', 'id int PRIMARY KEY, at text COLLATE "en_US.utf8"', polling('at', 'text'), 'sorts by its bytes'],
  ])('refuses a table with %s', async (_, columns, more, message) => {
    await using world = await SourceWorld.create('SELECT 1', more);
    const hasCollation = (await world.db.query("SELECT 1 FROM pg_collation WHERE collname = 'en_US.utf8'")).length > 0;
    await world.db.query(`CREATE TABLE items (${hasCollation ? columns : columns.replace('"en_US.utf8"', '"en-x-icu"')})`);
    const reader = await world.open();
    await expect(reader.next('a refusal')).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
      message: expect.stringContaining(message),
    });
  });
});
