// What a start would do, asked of a real server; and how far behind a source is.

import { describe, expect, it } from 'vitest';
import { skipReason } from '../../helpers/postgres.ts';
import { areDone, SourceWorld } from './source-world.ts';

const TABLES =
  'CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items SELECT generate_series(1, 1000); CREATE TABLE other (id int PRIMARY KEY)';

describe.skipIf((await skipReason()) !== null)('the plan of a PostgreSQL source', () => {
  it('has every statement of the first start, and none of the second', async () => {
    await using world = await SourceWorld.create(TABLES, { tables: ['items'] });
    const reader = await world.open();
    const before = await world.source.plan?.();
    expect(await world.source.tables?.()).toEqual([{ database: world.db.name, schema: 'public', table: 'items' }]);
    expect(before?.creates.map((s) => s.statement)).toEqual([
      expect.stringMatching(/^CREATE PUBLICATION "cdc_run_[a-z]+" FOR TABLE "public"\."items"/),
      expect.stringMatching(/^COMMENT ON PUBLICATION/),
      `CREATE_REPLICATION_SLOT "${world.slot}" LOGICAL pgoutput NOEXPORT_SNAPSHOT`,
    ]);
    expect(before?.reads).toEqual([{ table: 'public.items', rows: expect.any(Number) }]);
    expect(before?.reads[0]?.rows).toBeGreaterThan(100);
    expect(before?.keeps).toMatchObject({ by: `the replication slot ${world.slot}`, limitBytes: null });
    await world.take(reader, (_, progress) => areDone(progress), 'the rows');
    expect((await world.source.plan?.())?.creates).toEqual([]);
  });

  it('tells what the slot keeps, and bytes behind, while it reads and when it does not', async () => {
    await using world = await SourceWorld.create(TABLES, { tables: ['items'] });
    await world.take(await world.open(), (_, progress) => areDone(progress), 'the rows');
    const reading = await world.source.lag();
    expect(reading.retention).toMatchObject({ by: `slot ${world.slot}`, status: 'reserved', safeBytes: null, lossInMs: null });
    await world.stop();
    await world.db.query('INSERT INTO items SELECT generate_series(2001, 20000)');
    await world.open();
    const stopped = await world.source.lag();
    expect(stopped.bytes).toBeGreaterThan(500_000);
    expect(stopped.retention?.retainedBytes).toBeGreaterThan(500_000);
    const codec = world.source.positions,
      end = stopped.end?.['main'];
    if (end === undefined) throw new Error('no end');
    expect(codec.bytesBetween?.(codec.parse?.('0/0') ?? end, end)).toBeGreaterThan(stopped.bytes ?? 0);
  });
});
