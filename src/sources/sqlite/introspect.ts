// What a database says of its tables: columns, key, unique keys. Read by pragmas; nothing is guessed from table SQL.
// https://www.sqlite.org/pragma.html#pragma_table_xinfo

import { quoteName } from '../../util/sql-names.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import { parseGenerated, parseIndexSql } from './parse-sql.ts';

export interface SqliteColumn {
  readonly name: string;
  /** The type as declared; empty when there is none. */
  readonly declared: string;
  readonly notNull: boolean;
  /** SQL text of the default. */
  readonly defaultSql: string | null;
  /** The expression of a generated column, in parentheses. */
  readonly generatedSql: string | null;
}

/** A column by name, or an expression over bare column names. */
export interface KeyTerm {
  readonly column: string | null;
  readonly sql: string;
  readonly collation: string;
}

/** One unique index, that of a primary key included; not the rowid. */
export interface UniqueKey {
  readonly terms: readonly KeyTerm[];
  readonly where: string | null;
}

export interface SqliteTable {
  readonly name: string;
  readonly strict: boolean;
  readonly columns: readonly SqliteColumn[];
  /** Columns of the primary key in key order; empty without one. */
  readonly key: readonly string[];
  /** Collation of each key column. */
  readonly keyCollations: readonly string[];
  /** The name by which the rowid is reached (an INTEGER PRIMARY KEY, if there is one); `null`: WITHOUT ROWID. */
  readonly rowid: string | null;
  /** The key is an INTEGER PRIMARY KEY: another name for the rowid. */
  readonly integerKey: boolean;
  readonly uniqueKeys: readonly UniqueKey[];
}

/** Everything that we create has a name that begins like this. */
export const OUR_PREFIX = '_cdc_run_';

/** Tables that can be captured: no views, virtual tables and their shadows, none of SQLite's and none of ours. */
export function tableNames(db: SqliteDatabase): string[] {
  const rows = db
    .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name")
    .pluck()
    .all() as string[];
  return rows.filter((name) => !name.startsWith('sqlite_') && !name.startsWith(OUR_PREFIX));
}

/** `null` when there is no such table. */
export function readTable(db: SqliteDatabase, name: string): SqliteTable | null {
  const listed = db
    .prepare("SELECT wr, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?")
    .safeIntegers(false)
    .get(name);
  if (listed === undefined) return null;
  const { wr, strict } = listed as { wr: number; strict: number };
  const infos = db
    .prepare('SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?, \'main\') WHERE hidden <> 1 ORDER BY cid')
    .safeIntegers(false)
    .all(name) as ColumnInfo[];
  const key = infos
    .filter((c) => c.pk > 0)
    .sort((a, b) => a.pk - b.pk)
    .map((c) => c.name);
  const indexes = readIndexes(db, name),
    generated = readGenerated(db, name, infos);
  const primary = indexes.find((i) => i.origin === 'pk') ?? null;
  const integerKey = wr === 0 && key.length === 1 && primary === null;
  return {
    name,
    strict: strict === 1,
    key,
    integerKey,
    columns: infos.map((c) => ({
      name: c.name,
      declared: c.type,
      notNull: c.notnull === 1,
      defaultSql: c.dflt_value,
      generatedSql: generated.get(c.name.toLowerCase()) ?? null,
    })),
    keyCollations: key.map((column) => primary?.key.terms.find((t) => t.column === column)?.collation ?? 'BINARY'),
    rowid: wr === 1 ? null : integerKey ? (key[0] as string) : freeRowidName(infos.map((c) => c.name)),
    uniqueKeys: indexes.map((i) => i.key),
  };
}

interface ColumnInfo {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
  hidden: number;
}

function readGenerated(db: SqliteDatabase, table: string, infos: readonly ColumnInfo[]): Map<string, string> {
  if (!infos.some((c) => c.hidden > 1)) return new Map();
  return parseGenerated(db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?").pluck().get(table) as string);
}

/** All three names may be taken by columns: then the rowid cannot be reached, and the empty name says so. */
function freeRowidName(columns: readonly string[]): string {
  const taken = new Set(columns.map((c) => c.toLowerCase()));
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name)) ?? '';
}

function readIndexes(db: SqliteDatabase, table: string): { origin: string; key: UniqueKey }[] {
  const list = db.prepare('SELECT name, origin FROM pragma_index_list(?, \'main\') WHERE "unique" = 1 ORDER BY name').all(table) as {
    name: string;
    origin: string;
  }[];
  return list.map(({ name, origin }) => {
    const terms = db
      .prepare("SELECT cid, name, coll FROM pragma_index_xinfo(?, 'main') WHERE key = 1 ORDER BY seqno")
      .safeIntegers(false)
      .all(name) as { cid: number; name: string | null; coll: string }[];
    const sql = db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?").pluck().get(name) as
      | string
      | null
      | undefined;
    const text = typeof sql === 'string' ? parseIndexSql(sql) : null;
    return {
      origin,
      key: {
        where: text?.where ?? null,
        terms: terms.map((t, i) => ({
          column: t.name,
          collation: t.coll,
          sql: t.name === null ? (text?.terms[i] ?? 'NULL') : quoteName(t.name),
        })),
      },
    };
  });
}
