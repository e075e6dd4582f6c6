// Keeps the triggers in step with the tables: which tables are captured, under which number and shape their changes are
// recorded, and what is recorded when that changes. Runs in a write transaction, so no application writes meanwhile.
//
// | what is found | what is recorded |
// |---|---|
// | a table that is wanted and new | `s`: its changes begin here |
// | columns were added | `s`, and `U` for each row changed since, because the old triggers left the new columns out |
// | other columns changed (a rename) | `s` that asks for the table to be read again |
// | triggers are missing: the table was rebuilt, or somebody dropped them | `g`: changes may have been missed |
// | the table is gone | `x` |
// | a table comes back that was captured before: dropped and made anew, or left out for a while | `s`, then `e`: read it anew |
// | a consumer asks for a table again that it had left out, and that others kept captured | `j` |

import { CdcError } from '../../sdk/index.ts';
import { globToRegExp } from '../../util/glob.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import { consumers, createChangeTables, hasChangeTables, MAX_CAPTURED_COLUMNS, TABLES, widen } from './change-tables.ts';
import { OUR_PREFIX, readTable, type SqliteTable, tableNames } from './introspect.ts';
import { CHANGES, captureTriggers, DISPLACED, NOW_SQL, numberOfTrigger, slots, type Trigger } from './triggers.ts';

/** One shape of a captured table, and the number its changes carry. */
export interface CapturedTable {
  readonly no: number;
  readonly name: string;
  /** Grows with each change of columns or key. */
  readonly version: number;
  readonly table: SqliteTable;
  /** Number of the shape before; `null` for the first one. */
  readonly previous: number | null;
  /** Rows that have not changed since lack something: the table must be read again. */
  readonly reread: boolean;
  readonly active: boolean;
}

/** `*` and `?`; names may hold any character. */
export function matchesTable(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => pattern === name || globToRegExp(pattern, '\0').test(name));
}

export function capturedTables(db: SqliteDatabase): CapturedTable[] {
  const rows = db.prepare(`SELECT no, name, version, shape, previous, reread, active FROM ${TABLES} ORDER BY no`).safeIntegers(false).all();
  return (
    rows as { no: number; name: string; version: number; shape: string; previous: number | null; reread: number; active: number }[]
  ).map((r) => ({
    no: r.no,
    name: r.name,
    version: r.version,
    table: JSON.parse(r.shape) as SqliteTable,
    previous: r.previous,
    reread: r.reread === 1,
    active: r.active === 1,
  }));
}

interface Installed {
  readonly name: string;
  readonly table: string;
  readonly sql: string;
  readonly at: number;
}

/** Brings everything up to date. Returns whether anything was changed. */
export function installCapture(db: SqliteDatabase, where: string): boolean {
  if (!hasChangeTables(db)) createChangeTables(db);
  const patterns = consumers(db).flatMap((c) => c.patterns);
  const names = new Set(tableNames(db).filter((name) => matchesTable(patterns, name)));
  const known = capturedTables(db).filter((t) => t.active);
  const triggers = installedTriggers(db);
  let changed = false;
  for (const captured of known)
    if (!names.has(captured.name)) {
      release(db, captured);
      changed = true;
    }
  for (const name of names) {
    const table = readTable(db, name);
    if (table === null) continue;
    const captured = known.find((t) => t.name === name);
    if (captured === undefined ? begin(db, table, null, where) : renew(db, captured, table, triggers, where)) changed = true;
  }
  return dropStrays(db) || changed;
}

/** What `installCapture` would do for these tables, in words; empty when everything is in place. */
export function missingCapture(db: SqliteDatabase, patterns: readonly string[]): string[] {
  const names = tableNames(db).filter((name) => matchesTable(patterns, name));
  if (!hasChangeTables(db)) return names.map((name) => `"${name}" is not captured`);
  const known = capturedTables(db).filter((t) => t.active),
    triggers = installedTriggers(db);
  return names.flatMap((name) => {
    const captured = known.find((t) => t.name === name),
      table = readTable(db, name);
    if (captured === undefined) return [`"${name}" is not captured`];
    const state = table === null ? 'current' : stateOf(captured, table, triggers);
    if (state === 'current' && table !== null && shapeChange(captured.table, table) === 'none') return [];
    return [state === 'missing' ? `triggers of "${name}" are missing` : `triggers of "${name}" are out of date`];
  });
}

function installedTriggers(db: SqliteDatabase): Installed[] {
  return db
    .prepare('SELECT name, tbl_name AS "table", sql, rowid AS at FROM sqlite_schema WHERE type = \'trigger\'')
    .safeIntegers(false)
    .all() as Installed[];
}

// -- one table -----------------------------------------------------------------------------------------------------------

type TriggerState = 'current' | 'outdated' | 'missing';

function stateOf(captured: CapturedTable, table: SqliteTable, triggers: readonly Installed[]): TriggerState {
  const expected = captureTriggers(table, captured.no),
    ours = triggers.filter((t) => t.table === table.name && numberOfTrigger(t.name) === captured.no);
  if (expected.some(({ name }) => !ours.some((t) => t.name === name))) return 'missing';
  // SQLite runs the newest trigger first. As long as that is ours, what other triggers do is recorded after what they react to.
  const newest = Math.max(...triggers.filter((t) => t.table === table.name).map((t) => t.at));
  const isFirst = ours.some((t) => t.at === newest);
  return isFirst && expected.every(({ name, sql }) => ours.some((t) => t.name === name && t.sql === sql)) ? 'current' : 'outdated';
}

/** Returns whether anything was changed. */
function renew(db: SqliteDatabase, captured: CapturedTable, table: SqliteTable, triggers: readonly Installed[], where: string): boolean {
  const state = stateOf(captured, table, triggers),
    change = shapeChange(captured.table, table);
  if (change === 'none') {
    if (state === 'current') return false;
    dropTriggers(db, captured.no);
    createTriggers(db, table, captured.no, where);
    db.prepare(`UPDATE ${TABLES} SET shape = ? WHERE no = ?`).run(JSON.stringify(table), captured.no);
    if (state === 'missing') record(db, captured.no, 'g');
    return true;
  }
  dropTriggers(db, captured.no);
  db.prepare(`UPDATE ${TABLES} SET active = 0 WHERE no = ?`).run(captured.no);
  begin(db, table, { of: captured, reread: change === 'other' && state !== 'missing', lost: state === 'missing' }, where);
  return true;
}

function begin(
  db: SqliteDatabase,
  table: SqliteTable,
  after: { of: CapturedTable; reread: boolean; lost: boolean } | null,
  where: string,
): true {
  assertCapturable(table, where);
  widen(db, table.columns.length);
  const version = after === null ? lastVersion(db, table.name) + 1 : after.of.version + 1;
  const { lastInsertRowid } = db
    .prepare(`INSERT INTO ${TABLES} (name, version, shape, previous, reread, active) VALUES (?, ?, ?, ?, ?, 1)`)
    .run(table.name, version, JSON.stringify(table), after?.of.no ?? null, after?.reread === true ? 1 : 0);
  const no = Number(lastInsertRowid);
  createTriggers(db, table, no, where);
  record(db, no, 's');
  if (after === null && version > 1) record(db, no, 'e');
  if (after?.lost === true) record(db, no, 'g');
  else if (after !== null && !after.reread) recordAgain(db, after.of, table, no);
  return true;
}

function lastVersion(db: SqliteDatabase, name: string): number {
  return Number(db.prepare(`SELECT max(version) FROM ${TABLES} WHERE name = ?`).pluck().get(name) ?? 0);
}

function assertCapturable(table: SqliteTable, where: string): void {
  const problem =
    table.columns.length > MAX_CAPTURED_COLUMNS
      ? `has ${table.columns.length} columns, more than ${MAX_CAPTURED_COLUMNS}`
      : table.columns.some((c) => c.name === '__proto__')
        ? 'has a column whose name JavaScript keeps for itself'
        : table.rowid === ''
          ? 'has columns that hide all names of its rowid'
          : null;
  if (problem === null) return;
  throw new CdcError('SOURCE_MISCONFIGURED', `The table "${table.name}" ${problem}: it cannot be captured by triggers.`, {
    where,
    fix: 'Leave the table out of `tables`, or use `cdc_mode: polling` for it.',
  });
}

/** Nobody wants the table any more, or it is gone (then its triggers are too, or have moved with it under a new name). */
function release(db: SqliteDatabase, captured: CapturedTable): void {
  dropTriggers(db, captured.no);
  db.prepare(`UPDATE ${TABLES} SET active = 0 WHERE no = ?`).run(captured.no);
  if (!tableNames(db).includes(captured.name)) record(db, captured.no, 'x');
}

/** `consumer` begins to read a table that is captured already: it lacks what happened before. */
export function recordJoin(db: SqliteDatabase, { no }: CapturedTable, consumer: string): void {
  db.prepare(`INSERT INTO ${CHANGES} (t, op, ts, c0) VALUES (?, 'j', ${NOW_SQL}, ?)`).run(no, consumer);
}

/** Changes of these tables may have been missed. */
export function recordGap(db: SqliteDatabase, { no }: CapturedTable): void {
  record(db, no, 'g');
}

function record(db: SqliteDatabase, no: number, op: 's' | 'e' | 'g' | 'x'): void {
  db.prepare(`INSERT INTO ${CHANGES} (t, op, ts) VALUES (?, ?, ${NOW_SQL})`).run(no, op);
}

/** Nobody has read a change recorded since the columns were added: every reader looks for that first (see `stream.ts`). */
function recordAgain(db: SqliteDatabase, old: CapturedTable, table: SqliteTable, no: number): void {
  const { key } = table,
    width = old.table.columns.length;
  if (key.length === 0) return;
  const at = key.map((name) => old.table.columns.findIndex((c) => c.name === name));
  const keys = (from: number): string => at.map((i) => `c${from + i}`).join(', ');
  db.prepare(`INSERT INTO ${CHANGES} (t, op, ts, ${slots(0, table.columns.length)})
    SELECT ${no}, 'U', ${NOW_SQL}, ${table.columns.map((c) => `r.${quoteName(c.name)}`).join(', ')} FROM ${quoteName(table.name)} AS r
    WHERE (${key.map((name) => `r.${quoteName(name)}`).join(', ')}) IN (
      SELECT ${keys(0)} FROM ${CHANGES} WHERE t = ${old.no} AND op IN ('c', 'U') UNION SELECT ${keys(width)} FROM ${CHANGES} WHERE t = ${old.no} AND op = 'u')`).run();
}

/** `added`: every old column is still there, at its place, with its type, and so is the key. */
function shapeChange(before: SqliteTable, after: SqliteTable): 'none' | 'added' | 'other' {
  const kept = before.columns.every((c, i) => c.name === after.columns[i]?.name && c.declared === after.columns[i]?.declared);
  if (!kept || JSON.stringify(before.key) !== JSON.stringify(after.key) || before.strict !== after.strict) return 'other';
  return JSON.stringify(before.columns) === JSON.stringify(after.columns) ? 'none' : 'added';
}

// -- triggers ------------------------------------------------------------------------------------------------------------

function dropTriggers(db: SqliteDatabase, no: number): void {
  for (const { name } of installedTriggers(db)) if (numberOfTrigger(name) === no) db.exec(`DROP TRIGGER ${quoteName(name)}`);
  // They belong to statements that are over; the new triggers may digest other columns.
  db.prepare(`DELETE FROM ${DISPLACED} WHERE t = ?`).run(no);
}

/** Triggers of ours that belong to no captured table: the table was dropped and its name taken by another. */
function dropStrays(db: SqliteDatabase): boolean {
  const active = new Map(
    capturedTables(db)
      .filter((t) => t.active)
      .map((t) => [t.no, t.name]),
  );
  const strays = installedTriggers(db).filter(
    (t) => t.name.startsWith(OUR_PREFIX) && active.get(numberOfTrigger(t.name) ?? -1) !== t.table,
  );
  for (const { name } of strays) db.exec(`DROP TRIGGER ${quoteName(name)}`);
  return strays.length > 0;
}

function createTriggers(db: SqliteDatabase, table: SqliteTable, no: number, where: string): void {
  const couldWrite = writeProblem(db, table) === null;
  for (const { sql } of captureTriggers(table, no) satisfies Trigger[]) db.exec(sql);
  const problem = couldWrite ? writeProblem(db, table) : null;
  if (problem === null) return;
  // The whole transaction is rolled back: a trigger that does not compile would break the application.
  throw new CdcError('SOURCE_MISCONFIGURED', `The table "${table.name}" cannot be captured: ${problem}.`, {
    where,
    fix: 'Leave the table out of `tables`, or use `cdc_mode: polling` for it.',
  });
}

/** Why SQLite cannot compile writes to the table, its triggers included. */
function writeProblem(db: SqliteDatabase, table: SqliteTable): string | null {
  const column = quoteName(table.columns.find((c) => c.generatedSql === null)?.name ?? ''),
    name = quoteName(table.name);
  try {
    for (const sql of [`INSERT INTO ${name} DEFAULT VALUES`, `UPDATE ${name} SET ${column} = ${column}`, `DELETE FROM ${name}`])
      db.prepare(sql);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
