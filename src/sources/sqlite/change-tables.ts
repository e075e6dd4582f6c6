// Our own tables in the source database: what they are, who reads them, what may be deleted from them. All functions run in
// a transaction of their caller.
//
// One change table for all captured tables, wide enough for two rows of the widest one. Its columns have no type, so SQLite
// keeps every value in it bit by bit as the row had it, without a function of the application's SQLite in between; one
// table keeps all changes in the order of the writes, to be read and deleted as one range.

import { CdcError } from '../../sdk/index.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import { OUR_PREFIX } from './introspect.ts';
import { type ChangePlace, FIRST_PLACE, formatPlace } from './position.ts';
import { CHANGES, DISPLACED, NOW_SQL } from './triggers.ts';

export const TABLES = `${OUR_PREFIX}tables`;
export const CONSUMERS = `${OUR_PREFIX}consumers`;
const META = `${OUR_PREFIX}meta`;
/** Grows when tables or triggers change: two versions of this program must not undo each other's triggers. */
const FORMAT = '1';
/** SQLITE_MAX_COLUMN as it is compiled in nearly everywhere. */
const MAX_COLUMNS = 2000;
const FIXED_COLUMNS = 4;
/** The widest table that can be captured: its changes have two images. */
export const MAX_CAPTURED_COLUMNS = Math.floor((MAX_COLUMNS - FIXED_COLUMNS) / 2);

/** AUTOINCREMENT: a number is never used again, even if somebody empties the table. */
const DDL = `
  CREATE TABLE ${META} (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE ${CHANGES} (id INTEGER PRIMARY KEY AUTOINCREMENT, t INTEGER NOT NULL, op TEXT NOT NULL, ts INTEGER NOT NULL);
  CREATE TABLE ${DISPLACED} (t INTEGER NOT NULL, l, k);
  CREATE INDEX ${DISPLACED}_l ON ${DISPLACED} (t, l);
  CREATE INDEX ${DISPLACED}_k ON ${DISPLACED} (t, k);
  CREATE TABLE ${TABLES} (no INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version INTEGER NOT NULL, shape TEXT NOT NULL, previous INTEGER, reread INTEGER NOT NULL, active INTEGER NOT NULL);
  CREATE TABLE ${CONSUMERS} (name TEXT PRIMARY KEY, tables TEXT NOT NULL, floor INTEGER NOT NULL, acknowledged TEXT, seen_ms INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO ${META} VALUES ('format', '${FORMAT}');
`;

/** One program that reads changes: a source of a pipeline. */
export interface Consumer {
  readonly name: string;
  readonly patterns: readonly string[];
  /** Changes up to here may be gone. */
  readonly floor: number;
  /** `null` until something was acknowledged. */
  readonly acknowledged: string | null;
  /** When it last started or acknowledged, ms since the epoch. */
  readonly seenMs: number;
}

export function hasChangeTables(db: SqliteDatabase): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(META) !== undefined;
}

export function createChangeTables(db: SqliteDatabase): void {
  db.exec(DDL);
}

export function assertFormat(db: SqliteDatabase, where: string): void {
  const format = db.prepare(`SELECT value FROM ${META} WHERE name = 'format'`).pluck().get();
  if (format === FORMAT) return;
  throw new CdcError(
    'SOURCE_MISCONFIGURED',
    `The change tables in this database have the format ${String(format)}; this version of cdc-run knows ${FORMAT}.`,
    {
      where,
      fix: 'Run the version of cdc-run that made them, or remove them as its page tells.',
    },
  );
}

/** Adds columns until `columns` values have room in an image. */
export function widen(db: SqliteDatabase, columns: number): void {
  for (const [table, fixed, needed] of [
    [CHANGES, FIXED_COLUMNS, 2 * columns],
    [DISPLACED, 3, columns],
  ] as const) {
    for (let i = widthOf(db, table, fixed); i < needed; i++) db.exec(`ALTER TABLE ${table} ADD COLUMN c${i}`);
  }
}

function widthOf(db: SqliteDatabase, table: string, fixed: number): number {
  return Number(db.prepare('SELECT count(*) FROM pragma_table_info(?)').pluck().get(table)) - fixed;
}

/** Columns for values that the change table has now. */
export function changeWidth(db: SqliteDatabase): number {
  return widthOf(db, CHANGES, FIXED_COLUMNS);
}

// -- places --------------------------------------------------------------------------------------------------------------

/** The newest change. It is never deleted, so it can always be compared with a stored place. */
export function lastPlace(db: SqliteDatabase): ChangePlace {
  const row = db.prepare(`SELECT id, ts FROM ${CHANGES} ORDER BY id DESC LIMIT 1`).safeIntegers(false).get();
  return (row as ChangePlace | undefined) ?? FIRST_PLACE;
}

/** The greatest number ever used: it may be greater than that of the last row when somebody emptied the table. */
export function lastNumber(db: SqliteDatabase): number {
  return Number(db.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').pluck().get(CHANGES) ?? 0);
}

/** Is this change here, the very same? */
export function holdsPlace(db: SqliteDatabase, { id, ts }: ChangePlace): boolean {
  if (id === 0) return true;
  return db.prepare(`SELECT 1 FROM ${CHANGES} WHERE id = ? AND ts = ?`).get(id, ts) !== undefined;
}

/** The numbers of future changes begin after `id`: positions must never come twice. */
export function skipNumbers(db: SqliteDatabase, id: number): void {
  if (lastNumber(db) >= id) return;
  db.prepare('DELETE FROM sqlite_sequence WHERE name = ?').run(CHANGES);
  db.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(CHANGES, id);
}

// -- consumers -----------------------------------------------------------------------------------------------------------

export function consumers(db: SqliteDatabase): Consumer[] {
  const rows = db.prepare(`SELECT name, tables, floor, acknowledged, seen_ms FROM ${CONSUMERS} ORDER BY name`).safeIntegers(false).all();
  return (rows as { name: string; tables: string; floor: number; acknowledged: string | null; seen_ms: number }[]).map((r) => ({
    name: r.name,
    patterns: JSON.parse(r.tables) as string[],
    floor: r.floor,
    acknowledged: r.acknowledged,
    seenMs: r.seen_ms,
  }));
}

/** A note that nobody reads: the newest number has a record again by which it is recognised. */
function fillLastNumber(db: SqliteDatabase): void {
  if (lastPlace(db).id !== lastNumber(db)) db.prepare(`INSERT INTO ${CHANGES} (t, op, ts) VALUES (0, 'n', ${NOW_SQL})`).run();
}

/** A new consumer begins behind everything that is there. */
export function addConsumer(db: SqliteDatabase, name: string, patterns: readonly string[], nowMs: number): void {
  fillLastNumber(db);
  db.prepare(`INSERT INTO ${CONSUMERS} (name, tables, floor, acknowledged, seen_ms) VALUES (?, ?, ?, NULL, ?)`).run(
    name,
    JSON.stringify(patterns),
    lastNumber(db),
    nowMs,
  );
}

export function updateConsumer(db: SqliteDatabase, name: string, patterns: readonly string[], nowMs: number): void {
  db.prepare(`UPDATE ${CONSUMERS} SET tables = ?, seen_ms = ? WHERE name = ?`).run(JSON.stringify(patterns), nowMs, name);
}

/** Never goes back. Copies of displaced rows mean nothing outside of a statement, and nobody else writes now: they go too. */
export function acknowledgePlace(db: SqliteDatabase, consumer: string, place: ChangePlace, nowMs: number): void {
  db.prepare(`UPDATE ${CONSUMERS} SET acknowledged = ?, floor = max(floor, ?), seen_ms = ? WHERE name = ? AND floor <= ?`).run(
    formatPlace(place),
    place.id,
    nowMs,
    consumer,
    place.id,
  );
  db.prepare(`DELETE FROM ${DISPLACED}`).run();
}

/** Sets where a consumer may read from, after its history was given up. */
export function moveFloor(db: SqliteDatabase, consumer: string, id: number): void {
  db.prepare(`UPDATE ${CONSUMERS} SET floor = ? WHERE name = ?`).run(id, consumer);
}

/** Deletes up to `limit` changes that nobody needs; `false` when nothing was left to delete. */
export function deleteDone(db: SqliteDatabase, limit: number): boolean {
  // The change at the floor itself stays: a stored place is recognised by it.
  const result = db
    .prepare(`DELETE FROM ${CHANGES} WHERE id < (SELECT min(floor) FROM ${CONSUMERS}) AND id < (SELECT min(id) + ? FROM ${CHANGES})`)
    .run(limit);
  return result.changes > 0;
}
