// A query that is polled at a real server: what it is asked, in which order its rows come, and what cannot be polled.

import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../src/sdk/index.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { SourceWorld } from './source-world.ts';

type Keys = Partial<PostgresqlSourceConfig>;

const EVENTS = `CREATE TABLE event_store (event_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregate_id int NOT NULL, event_type text, event_data jsonb,
  event_version int, created_at timestamptz NOT NULL)`;
/** Of the design documents, word by word. */
const SEED: Keys = {
  cdc_mode: 'polling',
  table: 'event_store',
  query: `SELECT event_id, aggregate_id, event_type, event_data,
           event_version, created_at
    FROM event_store
    WHERE created_at > :last_sync
    ORDER BY created_at, event_version
`,
};

const toTheEnd = async (world: SourceWorld, more: Keys = {}): Promise<void> => {
  await world.open({}, more);
  const until = await world.source.end();
  await world.take(await world.open({ until }, more), () => false, 'the end');
};

describe.skipIf((await skipReason()) !== null)('a polled query', () => {
  it('needs no more than a query, where the table of the name has a key: from the beginning, and on behind it', async () => {
    await using world = await SourceWorld.create(EVENTS, SEED);
    await world.db.query(
      `INSERT INTO event_store (aggregate_id, event_type, event_data, event_version, created_at)
       SELECT i, 'made', '{"n": 1}', i, '2024-01-01'::timestamptz + i * interval '1 minute' FROM generate_series(1, 30) i`,
    );
    await toTheEnd(world);
    expect(world.events.map((e) => e.after?.['aggregate_id'])).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    const [event] = world.events;
    expect(event?.table.id).toMatchObject({ schema: 'public', table: 'event_store' });
    expect(event?.table.key).toEqual(['event_id']);
    expect(event?.table.columns.map((c) => [c.name, c.type])).toEqual([
      ['event_id', 'uuid'],
      ['aggregate_id', 'int32'],
      ['event_type', 'string'],
      ['event_data', 'json'],
      ['event_version', 'int32'],
      ['created_at', 'timestamptz'],
    ]);
    expect(event?.after).toMatchObject({ event_type: 'made', event_version: 1, created_at: '2024-01-01T00:01:00Z' });
    // With the watermark of the last row, and behind it.
    await world.db.query(
      `INSERT INTO event_store (event_id, aggregate_id, created_at) VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff', 31, '2024-01-01 00:30Z'), (gen_random_uuid(), 32, '2024-01-02')`,
    );
    await toTheEnd(world);
    expect(world.events.slice(30).map((e) => e.after?.['aggregate_id'])).toEqual([31, 32]);
  });

  it('gives rows that share a watermark once each, however pages are cut', async () => {
    await using world = await SourceWorld.create(
      "CREATE TABLE items (id int PRIMARY KEY, at int NOT NULL, name text); INSERT INTO items SELECT i, i / 2500, 'x' FROM generate_series(1, 6000) i",
      {
        cdc_mode: 'polling',
        table: 'joined',
        query: 'SELECT i.id, i.at AS "At", i.name || $$ :last_sync$$ AS name FROM items i WHERE i.at > :last_sync',
        watermark: { column: 'At', type: 'integer', key: 'id', settle: 0 },
      },
    );
    await toTheEnd(world);
    expect(world.events.map((e) => e.after?.['id'])).toEqual(Array.from({ length: 6000 }, (_, i) => i + 1));
    expect(world.events[0]?.after?.['name']).toBe('x :last_sync');
  });

  it.each(['SELECT id, at FROM items WHERE at > :last_sync', 'SELECT id, at FROM items'])(
    'holds back what has not settled, and goes on behind a restart: %s',
    async (query) => {
      await using world = await SourceWorld.create('CREATE TABLE items (id int PRIMARY KEY, at timestamptz NOT NULL)', {
        cdc_mode: 'polling',
        table: 'items',
        query,
        watermark: { column: 'at', type: 'timestamp', settle: 3_600_000 },
      });
      await world.db.query("INSERT INTO items VALUES (1, now() - interval '3 hours'), (2, now() - interval '2 hours'), (3, now())");
      await world.take(await world.open(), (events) => events.length >= 2, 'two rows');
      expect(world.events.map((e) => e.after?.['id'])).toEqual([1, 2]);
      await world.db.query("INSERT INTO items VALUES (4, now() - interval '90 minutes')");
      await world.take(await world.open(), (events) => events.length >= 3, 'the row behind');
      expect(world.events.map((e) => e.after?.['id'])).toEqual([1, 2, 4]);
    },
  );

  it('does not pass over a row whose key is NULL', async () => {
    await using world = await SourceWorld.create('CREATE TABLE items (id int, at int NOT NULL)', {
      cdc_mode: 'polling',
      table: 'items',
      query: 'SELECT * FROM items WHERE at > :last_sync',
      watermark: { column: 'at', type: 'integer', key: ['id'], settle: 0 },
    });
    await world.db.query('INSERT INTO items VALUES (1, 1)');
    await world.take(await world.open(), (events) => events.length >= 1, 'a row');
    await world.db.query('INSERT INTO items VALUES (NULL, 1)');
    const reader = await world.open();
    await expect(reader.next('a refusal')).rejects.toMatchObject({
      code: 'SOURCE_DATA_INVALID',
      message: expect.stringContaining('no id'),
    });
  });

  it('never becomes a part of the SQL: a text of letters that mean something there', async () => {
    await using world = await SourceWorld.create('CREATE TABLE items (id int PRIMARY KEY, tag text COLLATE "C" NOT NULL)', {
      cdc_mode: 'polling',
      table: 'items',
      query: 'SELECT id, tag FROM items WHERE tag > :last_sync -- all of them',
      watermark: { column: 'tag', type: 'text', settle: 0 },
    });
    const tags = ["a'; DROP TABLE items; --", 'b\\', 'c$1', 'd:last_sync'];
    for (const [i, tag] of tags.entries()) {
      await world.db.query('INSERT INTO items VALUES ($1, $2)', [i, tag]);
      await toTheEnd(world);
    }
    expect(world.events.map((e) => e.after?.['tag'])).toEqual(tags);
  });

  it.each<[string, string, NonNullable<Keys['watermark']>, string]>([
    ['without a key', 'SELECT 1 AS x, 2 AS at', { column: 'at', type: 'integer', settle: 0 }, 'what its key is'],
    ['without its watermark', 'SELECT 1 AS id', { column: 'at', type: 'integer', key: 'id', settle: 0 }, 'no column "at"'],
    [
      'with a column twice',
      'SELECT 1 AS id, 2 AS at, 3 AS x, 4 AS x',
      { column: 'at', type: 'integer', key: 'id', settle: 0 },
      'more than one',
    ],
    ['of another type', 'SELECT 1 AS id, true AS at', { column: 'at', type: 'timestamp', key: 'id', settle: 0 }, 'known to grow'],
    ['that is no query', 'DELETE FROM items RETURNING id', { column: 'at', type: 'integer', key: 'id', settle: 0 }, 'syntax error'],
  ])('is refused %s, by check and at the start', async (_, query, watermark, message) => {
    await using world = await SourceWorld.create('CREATE TABLE items (id int PRIMARY KEY)', {
      cdc_mode: 'polling',
      table: 'rows',
      query,
      watermark,
    });
    const reader = await world.open();
    const findings: Finding[] = [];
    for await (const finding of world.source.check()) findings.push(finding);
    expect(findings.filter((f) => f.level === 'error')).toEqual([
      expect.objectContaining({ check: 'watermark', message: expect.stringContaining(message) }),
    ]);
    await expect(reader.next('a refusal')).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
      message: expect.stringContaining(message),
    });
  });
});
