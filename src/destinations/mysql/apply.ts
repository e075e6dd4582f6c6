// Sends reduced changes to the server, inside a transaction that somebody else began: few statements, each for many rows.

import { byShape, type Group } from '../../relational/groups.ts';
import type { RowChange, RowWrite, Segment } from '../../relational/reduce.ts';
import { keyColumns } from '../../relational/table.ts';
import { RowMissing } from '../../relational/writer.ts';
import { qualified } from '../../systems/mysql/names.ts';
import type { Result, Session } from './connection.ts';
import { noteTable, RowTooLong } from './errors.ts';
import { addStatement, type ConflictAction, deleteStatement, insertFrame, isKey, tuple, updateStatement } from './sql.ts';
import type { TargetColumn, TargetTable } from './target-table.ts';

/** One message carries at most this much, so that neither side builds a giant one. Bytes. */
const MAX_STATEMENT_BYTES = 8 << 20;
/** The packet's header, and what the server needs beside the text. */
const PACKET_MARGIN_BYTES = 1024;
/** From about a thousand on, MariaDB makes a subquery of a list, and of OR MySQL gives up the index. */
const MAX_KEYS = 500;

export interface ApplyOptions {
  /** What a whole row does with one that is there. */
  readonly conflict: 'upsert' | 'replace';
  /** Rows per statement at most. */
  readonly maxRows: number;
}

/** Applies segments in order. Throws what the server says, or `RowMissing`. */
export async function applySegments(session: Session, segments: readonly Segment<TargetTable>[], options: ApplyOptions): Promise<void> {
  for (const segment of segments) {
    try {
      if (segment.kind === 'rows') await applyRows(session, segment, options);
      // TRUNCATE would commit what came before it, the point with it.
      else if (segment.kind === 'truncate') await session.query(`DELETE FROM ${qualified(segment.table)}`);
      else await applyMove(session, segment.change, options);
    } catch (error) {
      noteTable(error, segment.table);
      throw error;
    }
  }
}

async function applyRows(session: Session, segment: Extract<Segment<TargetTable>, { kind: 'rows' }>, options: ApplyOptions): Promise<void> {
  const { table, deletes, writes } = segment;
  const key = keyColumns(table);
  // Deletes first: what they free (other unique values) may be taken by the rows.
  for (let i = 0; i < deletes.length; i += MAX_KEYS) await session.query(deleteStatement(table, key, deletes.slice(i, i + MAX_KEYS)));
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
  if (table.key.length === 0) await insertAll(session, table, columns, group.writes, 'none', options);
  else if (table.onlyKeyIsUnique)
    await insertAll(session, table, columns, group.writes, group.kind === 'add' ? 'ignore' : options.conflict, options);
  else if (group.kind === 'add') await addEach(session, table, columns, group.writes, options);
  else await putEach(session, table, columns, group.writes, options);
}

async function insertAll(
  session: Session,
  table: TargetTable,
  columns: readonly TargetColumn[],
  writes: readonly RowWrite[],
  conflict: ConflictAction,
  { maxRows }: ApplyOptions,
): Promise<void> {
  const [head, tail] = insertFrame(table, columns, conflict);
  const tuples = writes.map((w) => tuple(w.values));
  for (const rows of packed(session, tuples, maxRows, head.length + tail.length)) await session.query(`${head}${rows.join(',')}${tail}`);
}

/**
 * ON DUPLICATE KEY UPDATE takes any unique key for ours, and would write over another row. So rows are set by their key, and those
 * that were not there are inserted: a row that has something else in common with another one is refused.
 */
async function putEach(
  session: Session,
  table: TargetTable,
  columns: readonly TargetColumn[],
  writes: readonly RowWrite[],
  options: ApplyOptions,
): Promise<void> {
  const key = keyColumns(table);
  const others = columns.map((column, i) => ({ column, i })).filter(({ column }) => !table.key.includes(column.name));
  const rest = others.map((o) => o.column);
  const statements = writes.map((w) =>
    updateStatement(
      table,
      rest,
      others.map(({ i }) => w.values[i] ?? null),
      isKey(key, w.key),
      options.conflict,
    ),
  );
  const met = await sendEach(session, statements, options);
  const missing = writes.filter((_, i) => met[i]?.count === 0);
  await insertAll(session, table, columns, missing, 'none', options);
}

async function addEach(
  session: Session,
  table: TargetTable,
  columns: readonly TargetColumn[],
  writes: readonly RowWrite[],
  options: ApplyOptions,
): Promise<void> {
  const key = keyColumns(table);
  const statements = writes.map((w) => addStatement(table, columns, w.values, isKey(key, w.key)));
  await sendEach(session, statements, options);
}

async function applyPatches(session: Session, table: TargetTable, group: Group, options: ApplyOptions): Promise<void> {
  const key = keyColumns(table);
  const others = group.columns.map((name, i) => ({ name, i })).filter(({ name }) => !table.key.includes(name));
  const columns = resolve(
    table,
    others.map((o) => o.name),
  );
  const statements = group.writes.map((w) =>
    updateStatement(
      table,
      columns,
      others.map(({ i }) => w.values[i] ?? null),
      isKey(key, w.key),
      'patch',
    ),
  );
  const met = await sendEach(session, statements, options);
  if (group.writes.some((w, i) => met[i]?.count === 0 && !w.mayBeMissing)) throw new RowMissing('a row to update is not there');
}

/** One row gets another key. A row that is not there is inserted where the event has all of it. */
async function applyMove(session: Session, change: RowChange<TargetTable>, options: ApplyOptions): Promise<void> {
  const { table, key: newKey, oldKey = [], columns: names, values } = change;
  const columns = resolve(table, names),
    key = keyColumns(table),
    old = isKey(key, oldKey);
  const { count: found } = await session.query(`SELECT 1 FROM ${qualified(table)} WHERE ${old} FOR UPDATE`);
  if (found === 0) {
    if (!change.incomplete) await insert(session, table, { kind: 'put', columns: names, writes: [change as RowWrite] }, options);
    else if (!change.mayBeMissing) throw new RowMissing('a row to move is not there');
    return;
  }
  // Another row that stands at the new key was left over from a later state.
  await session.query(`DELETE FROM ${qualified(table)} WHERE ${isKey(key, newKey)} AND NOT (${old})`);
  await session.query(updateStatement(table, columns, values, old, change.incomplete ? 'patch' : options.conflict));
}

/** Statements of one row each, many in a message. */
async function sendEach(session: Session, statements: readonly string[], { maxRows }: ApplyOptions): Promise<Result[]> {
  const results: Result[] = [];
  for (const some of packed(session, statements, maxRows, 0)) results.push(...(await session.script(some)));
  return results;
}

/** Cuts by number and by bytes: what the server takes, and what is good for both sides. Throws `RowTooLong`. */
function* packed({ server }: Session, texts: readonly string[], maxRows: number, frameBytes: number): Generator<readonly string[]> {
  const hardLimit = server.maxPacket - PACKET_MARGIN_BYTES - frameBytes * 3,
    limit = Math.min(hardLimit, MAX_STATEMENT_BYTES);
  let from = 0,
    size = 0;
  for (let i = 0; i < texts.length; i++) {
    const bytes = Buffer.byteLength(texts[i] as string) + 2;
    if (bytes > hardLimit) throw new RowTooLong(bytes, server.maxPacket);
    if (i > from && (i - from >= maxRows || size + bytes > limit)) {
      yield texts.slice(from, i);
      from = i;
      size = 0;
    }
    size += bytes;
  }
  if (from < texts.length) yield texts.slice(from);
}
