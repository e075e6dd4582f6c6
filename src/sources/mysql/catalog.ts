// What information_schema says of tables and their columns: it only knows now, and is taken where it agrees with the log.

import { quoteName } from '../../systems/mysql/names.ts';
import type { Queries, TextRow } from './connection.ts';
import { isSystem } from './names.ts';
import { HIDDEN_TIMES } from './row-end.ts';

export interface CatalogColumn {
  readonly name: string;
  /** `int(10) unsigned`, `enum('a','b')`, `uuid`. */
  readonly columnType: string;
  readonly charset: string | null;
  readonly collation: string | null;
  readonly nullable: boolean;
  /** As SQL; `null` for none. */
  readonly defaultSql: string | null;
  /** Empty for none. */
  readonly comment: string;
  /** Computed when it is read: not stored. */
  readonly isVirtual: boolean;
  /** Of a system-versioned table: until when a row is the one of now (ROW END). */
  readonly isRowEnd?: true;
  /** Rows of the log have it, `SELECT *` does not show it. */
  readonly isHidden?: true;
}

export interface CatalogTable {
  readonly database: string;
  readonly table: string;
  readonly columns: readonly CatalogColumn[];
  /** Columns behind them that only the log has. */
  readonly hidden: readonly CatalogColumn[];
  readonly primaryKey: readonly string[];
  /** The primary key, or else the first unique one without NULLs. */
  readonly key: readonly string[];
  readonly engine: string;
  readonly rows: number;
}

const TABLES = `
SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, ENGINE AS engine, TABLE_ROWS AS n, TABLE_TYPE AS kind FROM information_schema.TABLES
WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`;
const SEQUENCE = `
SELECT 1 FROM information_schema.TABLES WHERE TABLE_TYPE = 'SEQUENCE' AND TABLE_SCHEMA = ? AND TABLE_NAME = ?`;
const COLUMNS = `
SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, COLUMN_NAME AS name, COLUMN_TYPE AS type, CHARACTER_SET_NAME AS charset,
  COLLATION_NAME AS collation, IS_NULLABLE AS nullable, COLUMN_DEFAULT AS def, EXTRA AS extra,
  COLUMN_COMMENT AS comment
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`;
const ROW_END = `
SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND GENERATION_EXPRESSION = 'ROW END'`;
/** In the order in which the server has the indexes: those made first are first. */
const keysOf = (database: string, table: string): string =>
  `SHOW INDEX FROM ${quoteName(database)}.${quoteName(table)} WHERE Non_unique = 0`;

export class Catalog {
  readonly #queries: Queries;
  readonly #isMariadb: () => Promise<boolean>;

  constructor(queries: Queries, isMariadb: () => Promise<boolean>) {
    this.#queries = queries;
    this.#isMariadb = isMariadb;
  }

  /** The tables that are wanted, by name. */
  async tables(isWanted: (database: string, table: string) => boolean): Promise<CatalogTable[]> {
    const rows = await this.#queries.query(TABLES),
      found: CatalogTable[] = [];
    const names = rows
      .map((r) => ({ database: r['db'] ?? '', table: r['tbl'] ?? '', row: r }))
      .filter((t) => !isSystem(t.database) && isWanted(t.database, t.table))
      .sort((a, b) => (`${a.database}.${a.table}` < `${b.database}.${b.table}` ? -1 : 1));
    for (const { database, table, row } of names) found.push(await this.#table(database, table, row));
    return found;
  }

  /** `null` when it is gone. */
  async table(database: string, table: string): Promise<CatalogTable | null> {
    const [row] = await this.#queries.query(`${TABLES} AND TABLE_SCHEMA = ? AND TABLE_NAME = ?`, [database, table]);
    return row === undefined ? null : this.#table(database, table, row);
  }

  async #table(database: string, table: string, row: TextRow): Promise<CatalogTable> {
    const isMariadb = await this.#isMariadb(),
      isVersioned = row['kind'] === 'SYSTEM VERSIONED',
      rowEnd = isVersioned ? ((await this.#queries.query(ROW_END, [database, table]))[0]?.['name'] ?? null) : null;
    const columns = (await this.#queries.query(COLUMNS, [database, table])).map((r) => columnOf(r, isMariadb, rowEnd)),
      indexes = new Map<string, TextRow[]>();
    for (const r of await this.#queries.query(keysOf(database, table))) {
      const name = r['Key_name'] ?? '';
      indexes.set(name, [...(indexes.get(name) ?? []), r]);
    }
    // The end of a row is part of its primary key to the server, and the same in all rows that are read.
    const names = (index: readonly TextRow[] | undefined): string[] =>
      (index ?? []).map((r) => r['Column_name'] ?? '').filter((name) => name !== rowEnd);
    const primaryKey = names(indexes.get('PRIMARY')),
      // An expression is no column. Where the beginnings of columns differ, the columns do.
      isUsable = (index: readonly TextRow[]): boolean => index.every((r) => r['Null'] !== 'YES' && r['Column_name'] !== null),
      unique = [...indexes.values()].find(isUsable);
    const key = primaryKey.length > 0 ? primaryKey : names(unique);
    const hidden = isVersioned && rowEnd === null ? HIDDEN : [];
    return { database, table, columns, hidden, primaryKey, key, engine: row['engine'] ?? '', rows: Number(row['n'] ?? 0) };
  }

  /** One of MariaDB's sequences, which the log has as a table. */
  async isSequence(database: string, table: string): Promise<boolean> {
    return (await this.#queries.query(SEQUENCE, [database, table])).length > 0;
  }
}

const NOTHING_SAID = { collation: null, nullable: false, defaultSql: null, comment: '', isVirtual: false };
const HIDDEN: readonly CatalogColumn[] = HIDDEN_TIMES.map((time) => ({ ...time, ...NOTHING_SAID }));

function columnOf(row: TextRow, isMariadb: boolean, rowEnd: string | null): CatalogColumn {
  const extra = row['extra'] ?? '',
    def = row['def'] ?? null;
  return {
    name: row['name'] ?? '',
    columnType: row['type'] ?? '',
    charset: row['charset'] ?? null,
    collation: row['collation'] ?? null,
    nullable: row['nullable'] === 'YES',
    defaultSql:
      def === null || (isMariadb && def === 'NULL')
        ? null
        : isMariadb
          ? def
          : /DEFAULT_GENERATED/.test(extra)
            ? asExpression(def)
            : asLiteral(def, row['type'] ?? ''),
    comment: row['comment'] ?? '',
    isVirtual: /\bVIRTUAL\b/.test(extra),
    ...(rowEnd !== null && row['name'] === rowEnd ? { isRowEnd: true } : {}),
  };
}

/** MySQL gives the text of a literal, MariaDB gives SQL. */
function asLiteral(text: string, type: string): string {
  if (/^(?:CURRENT_TIMESTAMP|b')/i.test(text)) return text;
  if (/^(?:tiny|small|medium|big)?int|^(?:decimal|float|double|year)/.test(type)) return text;
  const [, hex] = (/binary/.test(type) ? /^0x((?:[0-9a-f]{2})*)$/i.exec(text) : null) ?? [];
  if (hex === undefined) return literal(text);
  // BINARY(n) has zeros at the end, which are not told.
  const bytes = Number(/^binary\((\d+)\)/.exec(type)?.[1] ?? 0);
  return literal(Buffer.from(hex.padEnd(bytes * 2, '0'), 'hex').toString());
}

const ESCAPES: Readonly<Record<string, string>> = { "'": "''", '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\0': '\\0' };
const literal = (text: string): string => `'${text.replaceAll(/['\\\n\r\0]/g, (c) => ESCAPES[c] as string)}'`;

/** Without the parentheses that SHOW CREATE TABLE has around all but the time. */
function asExpression(sql: string): string {
  return /^(?:CURRENT_TIMESTAMP|now)/i.test(sql) ? sql : `(${sql})`;
}
