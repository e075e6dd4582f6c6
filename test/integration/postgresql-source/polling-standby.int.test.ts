// Polling a standby: what it has not replayed yet must not be passed over, however long replay stands still.

import { describe, expect, it } from 'vitest';
import { type Source, systemClock } from '../../../src/sdk/index.ts';
import { Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { descriptor } from '../../../src/sources/postgresql/index.ts';
import { findPostgres, OwnPostgres } from '../../chaos/own-postgres.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';

const programs = await findPostgres();

const polling = (server: OwnPostgres, watermark: NonNullable<PostgresqlSourceConfig['watermark']>): Promise<Source> =>
  Promise.resolve(
    descriptor.create(
      { ...POSTGRESQL_SOURCE_DEFAULTS, url: server.url, cdc_mode: 'polling', tables: ['items'], watermark },
      testContext('db'),
    ),
  );

describe.skipIf(programs === null)('a standby that is polled', () => {
  it('by a time gives rows that were held up in replay in their place; by a counter it is refused', async () => {
    await using primary = await OwnPostgres.start(programs as NonNullable<typeof programs>, ['wal_sender_timeout=1s']);
    // A quiet primary says every half of wal_sender_timeout that there is nothing more.
    await primary.query(
      'CREATE TABLE items (id int PRIMARY KEY, n int, at timestamptz NOT NULL DEFAULT now(), xid xid8 DEFAULT pg_current_xact_id())',
    );
    await using standby = await primary.startStandby();
    const source = await polling(standby, { column: 'at', type: 'timestamp', settle: 300 }),
      reader = new Reader(source);
    await primary.query('INSERT INTO items VALUES (1, 1)');
    await reader.events(1);

    const slow = await primary.connect();
    try {
      await slow.query('BEGIN');
      await slow.query('INSERT INTO items VALUES (2, 2)');
      await primary.query('INSERT INTO items VALUES (3, 3)');
      await standby.replayed(primary);
      await standby.query('SELECT pg_wal_replay_pause()');
      await slow.query('COMMIT');
    } finally {
      await slow.end();
    }
    const next = reader.next('a row');
    const early = await Promise.race([next, systemClock.sleep(1500).then(() => 'nothing')]);
    expect(early).toBe('nothing');
    await standby.query('SELECT pg_wal_replay_resume()');
    await next;
    await reader.events(3);
    expect(reader.reading.events.map((e) => e.after?.['id'])).toEqual([1, 2, 3]);
    await reader.stop();
    await source.close();

    const byXid = await polling(standby, { column: 'xid', type: 'integer', settle: 0 }),
      all = new Reader(byXid);
    await all.events(3);
    await primary.query('INSERT INTO items VALUES (4, 4)');
    await all.events(4);
    await all.stop();
    await byXid.close();

    const byCounter = await polling(standby, { column: 'n', type: 'integer', settle: 0 });
    await expect(new Reader(byCounter).next()).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
      message: expect.stringContaining('A standby can be polled'),
    });
    await byCounter.close();
  });
});
