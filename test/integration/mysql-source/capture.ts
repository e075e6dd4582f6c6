// A database of its own and our source on it: rows that are there, then statements while it streams.

import { type ChangeEvent, silentLogger, systemClock, systemRandom } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/memory-store.ts';
import { Reader, type Reading } from '../../../src/sdk/testing/reading.ts';
import type { MysqlSourceConfig } from '../../../src/sources/mysql/config.ts';
import { descriptor } from '../../../src/sources/mysql/index.ts';
import type { MysqlDatabase } from '../../helpers/mysql.ts';
import { MYSQL_SOURCE_DEFAULTS } from '../../helpers/mysql-source.ts';

/** Each is its own transaction unless BEGIN says otherwise. */
export const statements = (text: string): string[] =>
  text
    .replace(/^--.*$/gm, '')
    .split(/;\s*\n/)
    .filter((statement) => statement.trim() !== '');

/** Reads existing rows to their end, runs `dml`, and reads on until the table `zz_end` has a row. */
export async function capture(
  db: MysqlDatabase,
  dml: readonly string[],
  more: Partial<MysqlSourceConfig> = {},
): Promise<readonly ChangeEvent[]> {
  const config: MysqlSourceConfig = { ...MYSQL_SOURCE_DEFAULTS, url: db.url, ...more };
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
    for (const statement of dml) await db.query(statement);
    const { events } = await reader.until((r) => r.events.some((e) => e.table.id.table === 'zz_end' && e.op === 'c'), 'the row of zz_end');
    return events;
  } finally {
    await reader.stop().catch(() => undefined);
    await source.close();
  }
}
