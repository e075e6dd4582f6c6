// pipelines/cron-sync.yaml as it is shipped, on real servers: runs at set times, goes on where the last one ended, also after a kill.

import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { Workspace } from './process.ts';

const noPostgres = (await skipReason()) !== null;

const TABLE = `CREATE TABLE event_store (event_id bigint PRIMARY KEY, aggregate_id uuid NOT NULL, event_type text NOT NULL, event_data jsonb,
  event_version int NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp())`;
const ADD = `INSERT INTO event_store SELECT n, md5(n::text)::uuid, 'placed', jsonb_build_object('n', n), n % 5 FROM generate_series($1::int, $2::int) n`;

const rowsOf = (db: TestDatabase, table: string): Promise<unknown[]> =>
  db.query(`SELECT event_id, aggregate_id, event_type, event_data::text, event_version, created_at FROM ${table} ORDER BY event_id`);

async function countOf(db: TestDatabase): Promise<number> {
  const [row] = await db.query<{ n: number }>('SELECT count(*)::int AS n FROM unified_events').catch(() => [{ n: 0 }]);
  return row?.n ?? 0;
}

/** How many rows each run has read that is told of. */
const readBy = (err: string): number[] =>
  err
    .split('\n')
    .filter((line) => line.includes('the scheduled run is done'))
    .map((line) => (JSON.parse(line) as { read: number }).read);

describe.skipIf(noPostgres)('pipelines/cron-sync.yaml', () => {
  it('brings over what is new at each time, once, and waits in between without holding the source', async () => {
    await using source = await createDatabase();
    await using analytics = await createDatabase();
    using work = new Workspace();
    await source.query(TABLE);
    await source.query(ADD, [1, 2500]);
    const env = { SOURCE_URL: source.url, ANALYTICS_URL: analytics.url, PIPELINE: source.name, SCHEDULE: '*/2 * * * * *', SETTLE: '200ms' };
    const start = () => work.start([resolve('pipelines/cron-sync.yaml')], env);

    const first = start();
    await eventually(async () => (await countOf(analytics)) === 2500);
    await source.query(ADD, [2501, 2600]);
    await eventually(async () => (await countOf(analytics)) === 2600);
    first.child.kill('SIGKILL');
    const { err } = await first.ended;
    expect(readBy(err)[0]).toBe(2500);

    // While nothing runs, a row is added and another one, which was there, is of no interest any more.
    await source.query(ADD, [2601, 2700]);
    await analytics.query('DELETE FROM unified_events WHERE event_id = 1');
    const second = start();
    await eventually(async () => (await countOf(analytics)) === 2699);
    await second.until(/the scheduled run is done/);
    expect(
      await source.query("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"),
    ).toEqual([]);
    second.child.kill('SIGTERM');
    const ended = await second.ended;
    expect(ended.code, ended.err).toBe(0);
    expect(readBy(ended.err).reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(200);
    expect(await rowsOf(analytics, 'unified_events')).toEqual((await rowsOf(source, 'event_store')).slice(1));
    expect(await source.query('SELECT 1 FROM pg_replication_slots WHERE database = current_database()')).toEqual([]);
  });

  it('tells of a run that failed, and runs again at the next time', async () => {
    await using source = await createDatabase();
    await using analytics = await createDatabase();
    using work = new Workspace();
    const env = { SOURCE_URL: source.url, ANALYTICS_URL: analytics.url, PIPELINE: source.name, SCHEDULE: '*/2 * * * * *', SETTLE: '0s' };
    const running = work.start([resolve('pipelines/cron-sync.yaml')], env);
    await running.until(/the scheduled run failed/);
    await source.query(TABLE);
    await source.query(ADD, [1, 10]);
    await eventually(async () => (await countOf(analytics)) === 10);
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  });
});
