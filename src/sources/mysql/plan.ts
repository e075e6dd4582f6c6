// What a start would do at the server: rows to be read, locks, log that is kept. Only looks; nothing is made there.

import { type Clock, formatTableId, type SourcePlan } from '../../sdk/index.ts';
import { explainRows } from './chunk-sql.ts';
import { type MysqlSourceConfig, tablePatterns } from './config.ts';
import { keptSeconds } from './lag.ts';
import { tableFilter } from './names.ts';
import { tableId } from './schemas.ts';
import type { Server } from './server.ts';
import { logEnd, logFiles, type ServerFacts } from './server-facts.ts';
import { chunkTable } from './tables-to-read.ts';

/** Two looks at the end of the log tell how fast it grows. */
const BETWEEN_LOOKS_MS = 1_000;
/** Beyond it the statistics of the tables are good enough. */
const MAX_ESTIMATES = 200;
const LOCKS: readonly string[] = [
  'the metadata lock of a SELECT on each table while a chunk of it is read: it holds up no reader and no writer, only ALTER TABLE and TRUNCATE',
];

export async function planSource(server: Server, config: MysqlSourceConfig, clock: Clock): Promise<SourcePlan> {
  const facts = await server.facts(),
    seconds = await keptSeconds(server),
    by = seconds === null ? 'the binary log, until it is purged by hand' : `the binary log, for ${Math.round(seconds / 3600)} h`;
  return {
    creates: [],
    locks: config.snapshot_mode === 'never' ? [] : LOCKS,
    reads: await readsOf(server, config),
    keeps: { by, limitBytes: null, bytesPerSecond: await growth(server, facts, clock) },
  };
}

async function readsOf(server: Server, config: MysqlSourceConfig): Promise<SourcePlan['reads']> {
  if (config.snapshot_mode === 'never') return [];
  const { home } = server,
    tables = await server.catalog.tables(tableFilter(tablePatterns(config), home)),
    isRead = tableFilter(config.snapshot.tables, home),
    wanted = tables.filter((t) => isRead(t.database, t.table));
  const reads: { table: string; rows: number | null }[] = [];
  for (const table of wanted) {
    const asked = wanted.length > MAX_ESTIMATES ? null : await estimate(server, explainRows(chunkTable(table, config, home), null));
    reads.push({ table: formatTableId(tableId(table.database, table.table)), rows: asked ?? table.rows });
  }
  return reads;
}

/** A table that we may not read is a finding of `check`. */
async function estimate(server: Server, sql: string): Promise<number | null> {
  const rows = await server.query(sql).catch(() => []),
    found = rows[0]?.['rows'];
  return found == null ? null : Number(found);
}

async function growth(server: Server, facts: ServerFacts, clock: Clock): Promise<number | null> {
  const look = (): Promise<number | null> =>
    server.use(null, async (session) => {
      const end = await logEnd(session, facts);
      if (end === null) return null;
      const before = (await logFiles(session)).filter((f) => f.name < end.file).reduce((sum, f) => sum + f.size, 0);
      return before + end.position;
    });
  const first = await look(),
    fromMs = clock.now();
  await clock.sleep(BETWEEN_LOOKS_MS);
  const second = await look(),
    seconds = (clock.now() - fromMs) / 1000;
  return first === null || second === null || seconds <= 0 ? null : Math.max(0, (second - first) / seconds);
}
