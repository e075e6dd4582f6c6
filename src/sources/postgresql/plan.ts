// What a start would do at the server: publication, slot, rows to be read, log that is kept. Only looks.

import { type Clock, formatTableId, type PlannedStep, type SourcePlan } from '../../sdk/index.ts';
import { type PostgresqlSourceConfig, tablePatterns } from './config.ts';
import { lsnColumn } from './lsn.ts';
import { tableFilter } from './names.ts';
import type { Queries } from './queries.ts';
import { planPublication, readPublication } from './replication/publication.ts';
import { createSlotCommand, keepOnStandbysCommand, lookAtSlot, type SlotState } from './replication/slot.ts';
import { estimateRows } from './row-estimates.ts';
import type { Server } from './server.ts';
import type { CatalogTable } from './system-catalog.ts';
import { chunkTable } from './tables-to-read.ts';

/** Two looks at the end of the log tell how fast it grows. */
const BETWEEN_LOOKS_MS = 1_000;
/** Beyond it the planner's last count is good enough. */
const MAX_ESTIMATES = 200;
/** For logical slots and publications, as the manual says of them. */
const LOCKS: readonly string[] = [
  'ACCESS SHARE on each table while a chunk of it is read, as any SELECT takes: it holds up no reader and no writer, only ALTER TABLE and TRUNCATE',
];
const PUBLISH_LOCK =
  'SHARE UPDATE EXCLUSIVE on each table for the moment in which it is published: it holds up no reader and no writer, but waits for VACUUM and ALTER TABLE';
const SLOT_WAIT = 'none for the slot; making it waits for the end of all transactions that write at that time';

const LOG = `
SELECT pg_is_in_recovery() AS standby, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS lsn,
  (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size') AS keep_mb`;

export async function planSource(server: Server, config: PostgresqlSourceConfig, clock: Clock): Promise<SourcePlan> {
  const isCaptured = tableFilter(tablePatterns(config)),
    tables = await server.catalog.tables(isCaptured);
  return server.use(null, async (session) => {
    const slot = await lookAtSlot(session, server.slot),
      publishing = await publishSteps(session, server, config, tables),
      creates = [...publishing, ...slotSteps(slot, server, config)];
    return {
      creates,
      locks: [...(publishing.length > 0 ? [PUBLISH_LOCK] : []), ...(slot === null ? [SLOT_WAIT] : []), ...LOCKS],
      reads: await readsOf(session, config, tables),
      keeps: { by: `the replication slot ${server.slot}`, ...(await budget(session, slot, clock)) },
    };
  });
}

async function publishSteps(
  queries: Queries,
  { publication, pipeline }: Server,
  config: PostgresqlSourceConfig,
  tables: readonly CatalogTable[],
): Promise<PlannedStep[]> {
  const wanted = tables.map((t) => ({ schema: t.schema, table: t.table, isPartitioned: t.kind === 'p' }));
  const request = { ...publication, pipeline, tables: wanted, truncate: config.on_truncate === 'emit' };
  const { statements } = planPublication(await readPublication(queries, publication.name), request);
  return statements.map((statement) => ({ what: `the publication ${publication.name}`, statement }));
}

function slotSteps(slot: SlotState | null, { slot: name }: Server, { failover }: PostgresqlSourceConfig): PlannedStep[] {
  if (slot !== null)
    return failover && slot.failover === false
      ? [{ what: `failover of the replication slot ${name}`, statement: keepOnStandbysCommand(name) }]
      : [];
  return [{ what: `the replication slot ${name}`, statement: createSlotCommand({ name, failover, exportSnapshot: false }) }];
}

async function readsOf(queries: Queries, config: PostgresqlSourceConfig, tables: readonly CatalogTable[]): Promise<SourcePlan['reads']> {
  if (config.snapshot_mode === 'never') return [];
  const isRead = tableFilter(config.snapshot.tables),
    wanted = tables.filter((t) => isRead(t.schema, t.table));
  const reads: { table: string; rows: number | null }[] = [];
  for (const table of wanted) {
    const name = formatTableId({ database: null, schema: table.schema, table: table.table }),
      known = table.rows < 0 ? null : table.rows;
    // A table that we may not read is a finding of `check`.
    const rows = wanted.length > MAX_ESTIMATES ? known : await estimateRows(queries, chunkTable(table, config), null).catch(() => known);
    reads.push({ table: name, rows });
  }
  return reads;
}

async function budget(
  queries: Queries,
  slot: SlotState | null,
  clock: Clock,
): Promise<{ limitBytes: number | null; bytesPerSecond: number | null }> {
  const first = await look(queries),
    fromMs = clock.now();
  await clock.sleep(BETWEEN_LOOKS_MS);
  const second = await look(queries),
    seconds = (clock.now() - fromMs) / 1000;
  const limit = first.keepMb < 0 ? null : first.keepMb * 1024 * 1024;
  return {
    limitBytes: slot?.safeWalSize == null ? limit : Number(slot.safeWalSize),
    bytesPerSecond: seconds <= 0 ? null : Math.max(0, Number(second.lsn - first.lsn) / seconds),
  };
}

async function look(queries: Queries): Promise<{ lsn: bigint; keepMb: number }> {
  const [row] = (await queries.query(LOG)).rows;
  return { lsn: lsnColumn(row?.['lsn']) ?? 0n, keepMb: Number(row?.['keep_mb'] ?? -1) };
}
