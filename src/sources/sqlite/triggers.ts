// The SQL of the capture triggers of one table. Pure: a table's description in, trigger texts out.
//
// They run inside the application's SQLite, whatever its version and settings, so they use no function younger than 2005
// but `quote` and never look at values. What they record is the *state* of a row: they read it back from the table by its
// key, because other triggers may have changed it again before ours run (SQLite does not define the order). So whatever the
// order, the last record of a key says what the key holds (invariant 4).
//
// Rows that REPLACE removes fire delete triggers only under `PRAGMA recursive_triggers`, which the application decides. So
// BEFORE triggers copy each row that stands in the way of the new one, through any unique key, to the displaced table. If
// an AFTER trigger follows, the row is gone, and a delete is recorded; if none follows (IGNORE, DO NOTHING, an upsert) the
// copy stays and means nothing. A copy is found again by `l`, a digest of the unique columns of the new row, and by `k`, one
// of its own key; both only narrow the search down.

import { quoteName, quoteText } from '../../util/sql-names.ts';
import { OUR_PREFIX, type SqliteTable, type UniqueKey } from './introspect.ts';

export const CHANGES = `${OUR_PREFIX}changes`;
export const DISPLACED = `${OUR_PREFIX}displaced`;

/** Milliseconds since the epoch, rounded; `now` stands still within a statement. */
export const NOW_SQL = "CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER)";
/** Of texts and blobs in a digest: longer ones cost more than a few false matches. */
const DIGEST_LENGTH = 40;

export interface Trigger {
  readonly name: string;
  readonly sql: string;
}

/** A table's triggers; `no` is the number under which its rows are recorded. */
export function captureTriggers(table: SqliteTable, no: number): Trigger[] {
  const t = new TableSql(table, no);
  return [
    trigger(t, 'bi', 'BEFORE INSERT', t.keepDisplaced(null)),
    trigger(t, 'bu', 'BEFORE UPDATE', t.keepDisplaced('OLD'), t.whenUniqueChanges()),
    trigger(t, 'ai', 'AFTER INSERT', [...t.recordDisplaced(t.isAt('p', 'NEW')), t.recordInsert()]),
    trigger(t, 'au', 'AFTER UPDATE', [...t.recordDisplaced(t.isMovedOver(), 'OLD'), t.renewDisplaced(), ...t.recordUpdate()]),
    trigger(t, 'ad', 'AFTER DELETE', [t.recordDelete(), t.dropDisplaced()]),
  ];
}

/** `_cdc_run_7_ai` → 7; `null` for any other name. */
export function numberOfTrigger(name: string): number | null {
  const match = /^_cdc_run_(\d+)_(?:bi|bu|ai|au|ad)$/.exec(name);
  return match === null ? null : Number(match[1]);
}

function trigger(t: TableSql, suffix: string, event: string, body: readonly string[], when = ''): Trigger {
  const name = `${OUR_PREFIX}${t.no}_${suffix}`;
  return { name, sql: `CREATE TRIGGER ${quoteName(name)} ${event} ON ${t.quoted} ${when}BEGIN\n  ${body.join(';\n  ')};\nEND` };
}

/** Generated columns, each behind those that it is made of: a name that is not there yet would mean another table's column. */
function generatedInOrder({ columns }: SqliteTable): { name: string; sql: string }[] {
  let open = columns.flatMap((c) => (c.generatedSql === null ? [] : [{ name: c.name, sql: c.generatedSql }]));
  const done: typeof open = [];
  const uses = (sql: string, name: string): boolean => sql.toLowerCase().includes(name.toLowerCase());
  while (open.length > 0) {
    const ready = open.filter(({ sql, name }) => !open.some((other) => other.name !== name && uses(sql, other.name)));
    // A name inside of a longer one may look like a circle; then the order of the table is as good as any.
    const next = ready.length > 0 ? ready : open;
    done.push(...next);
    open = open.filter((c) => !next.includes(c));
  }
  return done;
}

type Reference = 'NEW' | 'OLD' | 'r' | 'o' | 'p';
const and = (terms: readonly string[]): string => terms.join(' AND ');
const digest = (sql: string): string => `quote(substr(${sql}, 1, ${DIGEST_LENGTH}))`;
export const slots = (from: number, count: number): string => Array.from({ length: count }, (_, i) => `c${from + i}`).join(', ');

/** The pieces of SQL for one table. Aliases: `r` and `o` are the table, `p` the displaced rows. */
class TableSql {
  readonly no: number;
  readonly quoted: string;
  readonly #table: SqliteTable;
  readonly #uniqueColumns: readonly string[];

  constructor(table: SqliteTable, no: number) {
    this.no = no;
    this.quoted = quoteName(table.name);
    this.#table = table;
    const columns = table.uniqueKeys.flatMap((u) => u.terms.flatMap((term) => (term.column === null ? [] : [term.column])));
    this.#uniqueColumns = [...new Set(columns)];
  }

  // -- which row ---------------------------------------------------------------------------------------------------------

  /** Within one statement a row is the same while its rowid is, whatever other triggers make of its key. */
  #isSame(row: 'r', ref: 'NEW' | 'OLD'): string {
    return this.#table.rowid === null ? this.isAt(row, ref) : `${this.#locator(row)} = ${this.#locator(ref)}`;
  }

  /** `row` is exactly the row with the key of `ref`: by the key's collation, so that its index serves, and byte by byte. */
  isAt(row: Reference, ref: Reference): string {
    const { key, keyCollations, integerKey, rowid } = this.#table;
    if (key.length === 0) return `${this.#locator(row)} = ${this.#locator(ref)}`;
    return and(
      key.flatMap((column, i) => {
        const nullable = rowid !== null && !integerKey && !this.#column(column).notNull;
        const equal = `${this.#value(row, column)} ${nullable || row === 'p' ? 'IS' : '='} ${this.#value(ref, column)}`;
        return keyCollations[i] === 'BINARY' || row === 'p'
          ? [equal]
          : [equal, `${this.#value(row, column)} COLLATE BINARY IS ${this.#value(ref, column)}`];
      }),
    );
  }

  /** The update left the key as it was; `row` is the row now. */
  #keyStays(row: 'NEW' | 'r'): string {
    if (this.#table.key.length === 0) return `${this.#locator('OLD')} = ${this.#locator(row)}`;
    return and(this.#table.key.map((column) => `OLD.${quoteName(column)} COLLATE BINARY IS ${row}.${quoteName(column)}`));
  }

  /** The update moved its row to the key of `p`. */
  isMovedOver(): string {
    return `(${this.isAt('p', 'NEW')} AND NOT (${this.#keyStays('NEW')}))`;
  }

  #exists(row: 'r' | 'o', ref: Reference): string {
    return `EXISTS (SELECT 1 FROM ${this.quoted} AS ${row} WHERE ${this.isAt(row, ref)})`;
  }

  #locator(ref: Reference): string {
    return ref === 'p' ? 'p.k' : `${ref}.${quoteName(this.#table.rowid ?? '')}`;
  }

  #value(ref: Reference, column: string): string {
    return ref === 'p' ? `p.c${this.#table.columns.findIndex((c) => c.name === column)}` : `${ref}.${quoteName(column)}`;
  }

  #column(name: string): SqliteTable['columns'][number] {
    return this.#table.columns.find((c) => c.name === name) as SqliteTable['columns'][number];
  }

  /** The unary plus keeps the column's affinity out of the comparison, which would keep the index out. */
  #keyDigest(ref: Reference): string {
    const { key, rowid, integerKey } = this.#table;
    if (rowid !== null && (integerKey || key.length === 0)) return `+${ref}.${quoteName(rowid)}`;
    return key.map((column) => digest(`${ref}.${quoteName(column)}`)).join(" || ',' || ");
  }

  /** Without generated columns: BEFORE UPDATE triggers see NULL in them. */
  #uniqueDigest(): string {
    const columns = this.#uniqueColumns.filter((column) => this.#column(column).generatedSql === null);
    if (this.#uniqueColumns.length === 0) return this.#keyDigest('NEW');
    return columns.length === 0 ? "''" : columns.map((column) => digest(this.#newValue(column))).join(" || ',' || ");
  }

  /** A NULL for a NOT NULL column is replaced by the default, or nothing happens; BEFORE triggers still see the NULL. */
  #newValue(column: string): string {
    const { notNull, defaultSql } = this.#column(column);
    return notNull && defaultSql !== null ? `coalesce(NEW.${quoteName(column)}, (${defaultSql}))` : `NEW.${quoteName(column)}`;
  }

  // -- displaced rows ----------------------------------------------------------------------------------------------------

  keepDisplaced(except: 'OLD' | null): string[] {
    const { rowid, columns } = this.#table;
    const conflicts = this.#table.uniqueKeys.map((key) => this.#conflict(key));
    if (rowid !== null) conflicts.unshift(`r.${quoteName(rowid)} = NEW.${quoteName(rowid)}`);
    const label = this.#uniqueDigest(),
      k = this.#keyDigest('r');
    const known = `SELECT 1 FROM ${quoteName(DISPLACED)} AS p WHERE p.t = ${this.no} AND p.l = ${label} AND p.k = ${k} AND ${this.isAt('p', 'r')}`;
    return conflicts.map(
      (conflict) =>
        `INSERT INTO ${quoteName(DISPLACED)} (t, l, k, ${slots(0, columns.length)}) SELECT ${this.no}, ${label}, ${k}, ${this.#all('r')} FROM ${this.quoted} AS r ` +
        `WHERE ${conflict}${except === null ? '' : ` AND NOT (${this.#isSame('r', except)})`} AND NOT EXISTS (${known})`,
    );
  }

  /** `r` stands in the way of NEW by this unique key. */
  #conflict(key: UniqueKey): string {
    const terms = key.terms.map(({ column, sql, collation }) => {
      const computed = column === null || this.#column(column).generatedSql !== null;
      const value = computed ? `(SELECT ${sql} FROM (${this.#newRow()}))` : this.#newValue(column);
      return `${column === null ? `(${sql})` : `r.${sql}`} = ${value} COLLATE ${quoteName(collation)}`;
    });
    return and(key.where === null ? terms : [...terms, `(${key.where})`]);
  }

  /** NEW as a table, for expressions that name their columns bare. */
  #newRow(): string {
    const stored = this.#table.columns
      .filter((c) => c.generatedSql === null)
      .map((c) => `${this.#newValue(c.name)} AS ${quoteName(c.name)}`);
    return generatedInOrder(this.#table).reduce(
      (row, { name, sql }) => `SELECT *, ${sql} AS ${quoteName(name)} FROM (${row})`,
      `SELECT ${stored.join(', ')}`,
    );
  }

  /** SQLite runs the BEFORE triggers of every UPDATE: most change no unique key. */
  whenUniqueChanges(): string {
    const { rowid, uniqueKeys } = this.#table;
    const isPlain = (column: string | null): boolean => column !== null && this.#column(column).generatedSql === null;
    if (uniqueKeys.some((u) => u.where !== null || !u.terms.every((term) => isPlain(term.column)))) return '';
    const names = [...(rowid === null ? [] : [rowid]), ...this.#uniqueColumns];
    return `WHEN ${names.map((name) => `OLD.${quoteName(name)} COLLATE BINARY IS NOT NEW.${quoteName(name)}`).join(' OR ')} `;
  }

  /** Deletes for the rows that this statement has removed: `moved` (the new row took their key), or no longer there. */
  recordDisplaced(moved: string, except: 'OLD' | null = null): string[] {
    const condition = `p.t = ${this.no} AND p.l = ${this.#uniqueDigest()}${except === null ? '' : ` AND NOT (${this.isAt('p', except)})`} AND (${moved} OR NOT ${this.#exists('r', 'p')})`;
    const width = this.#table.columns.length,
      copies = quoteName(DISPLACED);
    return [
      `INSERT INTO ${quoteName(CHANGES)} (t, op, ts, ${slots(0, width)}) SELECT ${this.no}, 'd', ${NOW_SQL}, ${slots(0, width)} FROM ${copies} AS p WHERE ${condition}`,
      // All copies of the row, also those which earlier statements made in vain.
      `DELETE FROM ${copies} WHERE rowid IN (SELECT q.rowid FROM ${copies} AS p JOIN ${copies} AS q ON q.t = p.t AND q.k = p.k AND ${this.#isCopyOfSame()} WHERE ${condition})`,
    ];
  }

  #isCopyOfSame(): string {
    const { key, columns } = this.#table;
    if (key.length === 0) return 'q.k = p.k';
    return and(key.map((name) => columns.findIndex((c) => c.name === name)).map((i) => `q.c${i} IS p.c${i}`));
  }

  #isCopyOfOld(): string {
    const match = this.isAt('p', 'OLD');
    return `rowid IN (SELECT p.rowid FROM ${quoteName(DISPLACED)} AS p WHERE p.t = ${this.no} AND p.k = ${this.#keyDigest('OLD')} AND ${match})`;
  }

  /** Copies show their row as it is: the row may change between our BEFORE trigger and its removal. */
  renewDisplaced(): string {
    const values = this.#table.columns.map((c, i) => `c${i} = NEW.${quoteName(c.name)}`).join(', ');
    return `UPDATE ${quoteName(DISPLACED)} SET k = ${this.#keyDigest('NEW')}, ${values} WHERE ${this.#isCopyOfOld()}`;
  }

  dropDisplaced(): string {
    return `DELETE FROM ${quoteName(DISPLACED)} WHERE ${this.#isCopyOfOld()}`;
  }

  // -- changes -----------------------------------------------------------------------------------------------------------

  recordInsert(): string {
    return `${this.#record('c', 'r')} FROM ${this.quoted} AS r WHERE ${this.#isSame('r', 'NEW')}`;
  }

  /** Nothing when the row is there again: then its return has been recorded. */
  recordDelete(): string {
    return `${this.#record('d', 'OLD')} WHERE NOT ${this.#exists('r', 'OLD')}`;
  }

  /** A move; a new row, if another trigger has put a row at the old key meanwhile; a delete, if one removed the moved row. */
  recordUpdate(): string[] {
    const stays = this.#keyStays('r'),
      isIt = this.#isSame('r', 'NEW'),
      width = this.#table.columns.length;
    return [
      `INSERT INTO ${quoteName(CHANGES)} (t, op, ts, ${slots(0, 2 * width)}) SELECT ${this.no}, 'u', ${NOW_SQL}, ${this.#all('OLD')}, ${this.#all('r')} ` +
        `FROM ${this.quoted} AS r WHERE ${isIt} AND (${stays} OR NOT ${this.#exists('o', 'OLD')})`,
      `${this.#record('U', 'r')} FROM ${this.quoted} AS r WHERE ${isIt} AND NOT (${stays}) AND ${this.#exists('o', 'OLD')}`,
      `${this.#record('d', 'OLD')} WHERE NOT (${this.#keyStays('NEW')}) AND NOT EXISTS (SELECT 1 FROM ${this.quoted} AS r WHERE ${isIt}) AND NOT ${this.#exists('o', 'OLD')}`,
    ];
  }

  #record(op: 'c' | 'U' | 'd', ref: Reference): string {
    return `INSERT INTO ${quoteName(CHANGES)} (t, op, ts, ${slots(0, this.#table.columns.length)}) SELECT ${this.no}, ${quoteText(op)}, ${NOW_SQL}, ${this.#all(ref)}`;
  }

  #all(ref: Reference): string {
    return this.#table.columns.map((c) => `${ref}.${quoteName(c.name)}`).join(', ');
  }
}
