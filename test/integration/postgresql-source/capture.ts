// A database of its own and our source on it: rows that are there, then statements while it streams.

import { type ChangeEvent, silentLogger, systemClock, systemRandom } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/memory-store.ts';
import { Reader, type Reading } from '../../../src/sdk/testing/reading.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { descriptor } from '../../../src/sources/postgresql/index.ts';
import type { TestDatabase } from '../../helpers/postgres.ts';
import { dropSlots } from '../../helpers/postgres-slots.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';

export interface Capture {
  readonly events: readonly ChangeEvent[];
  readonly reading: Reading;
}

/**
 * Reads existing rows to their end, runs `dml` (one transaction per statement where it is one text each), and reads on until the
 * table `zz_end` has a row. `when`: whether that begins behind the last statement or before the first.
 */
export async function capture(
  db: TestDatabase,
  dml: readonly string[],
  more: Partial<PostgresqlSourceConfig> = {},
  when: 'during' | 'after' = 'after',
): Promise<Capture> {
  const config: PostgresqlSourceConfig = { ...POSTGRESQL_SOURCE_DEFAULTS, url: db.url, slot_name: db.name, tables: ['*.*'], ...more };
  const source = await descriptor.create(config, {
    pipeline: db.name,
    name: 'golden',
    logger: silentLogger,
    clock: systemClock,
    random: systemRandom,
    store: memoryStore(),
  });
  const reader = new Reader(source, { maxBatchEvents: 1000 });
  try {
    const isDone = (r: Reading): boolean => {
      const states = new Map(r.batches.flatMap((b) => b.snapshots ?? []).map((s) => [s.table, s.state]));
      return states.size > 0 && [...states.values()].every((state) => state === 'done');
    };
    await reader.until(isDone, 'the end of existing rows');
    const toEnd = (): Promise<Reading> =>
      reader.until((r) => r.events.some((e) => e.table.id.table === 'zz_end' && e.op === 'c'), 'the row of zz_end');
    const run = async (): Promise<void> => {
      for (const statement of dml) await db.query(statement);
    };
    if (when === 'after') await run();
    const [reading] = await Promise.all([toEnd(), when === 'during' ? run() : undefined]);
    return { events: reading.events, reading };
  } finally {
    await reader.stop().catch(() => undefined);
    await source.close();
    await dropSlots(db);
  }
}
