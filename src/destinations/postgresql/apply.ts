// Sends reduced changes to the server, inside a transaction that somebody else began: few statements, each for many rows.

import { byShape, chunks, type Group } from '../../relational/groups.ts';
import type { RowChange, Segment } from '../../relational/reduce.ts';
import { keyColumns } from '../../relational/table.ts';
import { RowMissing } from '../../relational/writer.ts';
import { type Session, stageName } from './connection.ts';
import { copyText } from './copy-text.ts';
import {
  type ConflictAction,
  deleteStatement,
  insertFromStage,
  insertStatement,
  moveStatements,
  patchStatement,
  qualified,
  stageColumns,
} from './sql.ts';
import type { TargetColumn, TargetTable } from './target-table.ts';

/** From here on COPY into a temporary table beats arrays (measured with 8 columns of 186 bytes in all, on one connection). */
const COPY_FROM_ROWS = 1000;

export interface ApplyOptions {
  /** What a whole row does with one that is there. */
  readonly conflict: 'upsert' | 'replace';
  /** Rows per statement at most. */
  readonly maxRows: number;
}

/** Applies segments in order. Throws what the server says, or `RowMissing`. */
export async function applySegments(session: Session, segments: readonly Segment<TargetTable>[], options: ApplyOptions): Promise<void> {
  for (const segment of segments) {
    if (segment.kind === 'rows') await applyRows(session, segment, options);
    else if (segment.kind === 'truncate') await empty(session, segment.table);
    else await applyMove(session, segment.change, options);
  }
}

/** TRUNCATE locks out readers until the commit, but a large table would take DELETE as long. */
async function empty(session: Session, table: TargetTable): Promise<void> {
  await session.query(table.truncatable ? `TRUNCATE ${qualified(table)}` : `DELETE FROM ${qualified(table)}`);
}

async function applyRows(session: Session, segment: Extract<Segment<TargetTable>, { kind: 'rows' }>, options: ApplyOptions): Promise<void> {
  const { table, deletes, writes } = segment;
  // Deletes first: what they free (other unique values) may be taken by the rows.
  const key = keyColumns(table);
  for (const keys of chunks(deletes, (k) => k, options.maxRows))
    await session.query(deleteStatement(table, key), columnsOf(keys, key.length));
  for (const group of byShape(writes)) {
    if (group.kind === 'patch') await applyPatches(session, table, group, options);
    else await insert(session, table, group, options);
  }
}

function resolve(table: TargetTable, names: readonly string[]): TargetColumn[] {
  return names.map((name) => table.byName.get(name) as TargetColumn);
}

async function insert(session: Session, table: TargetTable, group: Group, options: ApplyOptions): Promise<void> {
  const columns = resolve(table, group.columns);
  const conflict: ConflictAction = table.key.length === 0 ? 'none' : group.kind === 'add' ? 'ignore' : options.conflict;
  for (const rows of chunks(group.writes, (w) => w.values, options.maxRows)) {
    const values = rows.map((w) => w.values);
    if (session.canStage && rows.length >= COPY_FROM_ROWS) await insertByCopy(session, table, columns, conflict, values);
    else await session.query(insertStatement(table, columns, conflict), columnsOf(values, columns.length));
  }
}

/** The temporary table serves all targets with such columns, and is empty again after each use. */
async function insertByCopy(
  session: Session,
  table: TargetTable,
  columns: readonly TargetColumn[],
  conflict: ConflictAction,
  rows: readonly (readonly (string | null)[])[],
): Promise<void> {
  const definition = stageColumns(columns),
    stage = `pg_temp.${stageName(definition)}`;
  await session.query(`CREATE TEMPORARY TABLE IF NOT EXISTS ${stageName(definition)} (${definition}) ON COMMIT DELETE ROWS`);
  await session.copy(stage, Buffer.from(copyText(rows)));
  await session.query(insertFromStage(table, columns, conflict, stage));
  await session.query(`TRUNCATE ${stage}`);
}

async function applyPatches(session: Session, table: TargetTable, group: Group, options: ApplyOptions): Promise<void> {
  const key = keyColumns(table),
    others = group.columns.map((name, i) => ({ name, i })).filter(({ name }) => !table.key.includes(name));
  const columns = resolve(
    table,
    others.map((o) => o.name),
  );
  const statement = patchStatement(table, key, columns);
  for (const writes of chunks(group.writes, (w) => w.values, options.maxRows)) {
    const rows = writes.map((w) => [...w.key, ...others.map(({ i }) => w.values[i] ?? null)]);
    const ordinals = writes.map((_, i) => String(i));
    const { rows: met } = await session.query(statement, [...columnsOf(rows, key.length + columns.length), ordinals]);
    const there = new Set(met.map((r) => Number(r['n'])));
    if (writes.some((w, i) => !there.has(i) && !w.mayBeMissing)) throw new RowMissing('a row to update is not there');
  }
}

/** One row gets another key. A row that is not there is inserted where the event has all of it. */
async function applyMove(session: Session, change: RowChange<TargetTable>, options: ApplyOptions): Promise<void> {
  const { table, key, oldKey = [], columns: names, values } = change;
  const columns = resolve(table, names);
  const replace = options.conflict === 'replace' && !change.incomplete;
  const { clear, move } = moveStatements(table, keyColumns(table), columns, replace);
  await session.query(clear, [...key, ...oldKey]);
  const { count } = await session.query(move, [...values, ...oldKey]);
  if (count > 0) return;
  if (!change.incomplete) {
    await session.query(insertStatement(table, columns, options.conflict), columnsOf([values], columns.length));
    return;
  }
  if (!change.mayBeMissing) throw new RowMissing('a row to move is not there');
}

/** Rows → one array per column, as the statements take them. */
function columnsOf(rows: readonly (readonly (string | null)[])[], width: number): (string | null)[][] {
  return Array.from({ length: width }, (_, column) => rows.map((row) => row[column] ?? null));
}
