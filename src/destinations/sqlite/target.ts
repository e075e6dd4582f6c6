// Target tables: which one an event goes to, making it and its columns when asked, and the prepared statements per shape of
// row. Statements are made once per table and set of columns: preparing one costs as much as writing five rows.

import { CdcError, type Column, type ColumnType, formatTableId, type TableSchema } from '../../sdk/index.ts';
import { quoteName, quoteText } from '../../util/sql-names.ts';
import type { SqliteDatabase, SqliteStatement } from '../../util/sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { bind } from './encode.ts';
import { type Affinity, affinityOf, declaredType } from './types.ts';

/** Statements for rows with one set of columns. */
export interface Shape {
  readonly columns: readonly string[];
  readonly types: readonly (ColumnType | null)[];
  /** What SQLite would convert values of each column to. */
  readonly affinities: readonly Affinity[];
  /** By `conflict_resolution`, for a row that is whole. */
  readonly insert: SqliteStatement;
  /** For updates: always lets the new row win. */
  readonly put: SqliteStatement;
  /** Sets the columns where the key is …; bound with the columns first, then the key. */
  readonly patch: SqliteStatement;
}

export class Target {
  readonly name: string;
  readonly key: readonly string[];
  readonly keyTypes: readonly (ColumnType | null)[];
  readonly keyAffinities: readonly Affinity[];
  readonly #db: SqliteDatabase;
  readonly #config: SqliteConfig;
  readonly #types: ReadonlyMap<string, ColumnType>;
  readonly #affinities: ReadonlyMap<string, Affinity>;
  /** SQLite computes these itself and takes no values for them. */
  readonly #generated: ReadonlySet<string>;
  readonly #byArray = new Map<readonly string[], Shape>();
  readonly #byText = new Map<string, Shape>();
  readonly remove: SqliteStatement | null;
  readonly empty: SqliteStatement;

  constructor(db: SqliteDatabase, config: SqliteConfig, name: string, table: TableSchema) {
    this.#db = db;
    this.#config = config;
    this.name = name;
    this.key = table.key;
    this.#types = new Map(table.columns.map((c) => [c.name, c.type]));
    const there = [...columnsAt(db, name)];
    this.#affinities = new Map(there.map(([column, { declared }]) => [column, affinityOf(declared)]));
    this.#generated = new Set(there.flatMap(([column, { generated }]) => (generated ? [column] : [])));
    this.keyTypes = this.key.map((c) => this.#types.get(c) ?? null);
    this.keyAffinities = this.key.map((c) => this.#affinityOf(c));
    this.remove = this.key.length === 0 ? null : db.prepare(`DELETE FROM ${quoteName(name)} WHERE ${this.#keyMatch()}`);
    this.empty = db.prepare(`DELETE FROM ${quoteName(name)}`);
  }

  /** `columns` of rows of one kind is the same array as a rule, so most look-ups are by identity. */
  shape(columns: readonly string[]): Shape {
    const known = this.#byArray.get(columns);
    if (known !== undefined) return known;
    const text = JSON.stringify(columns);
    const shape = this.#byText.get(text) ?? this.#prepare(columns);
    this.#byText.set(text, shape);
    if (this.#byArray.size < 64) this.#byArray.set(columns, shape);
    return shape;
  }

  #prepare(given: readonly string[]): Shape {
    const columns = given.filter((c) => !this.#generated.has(c.toLowerCase()));
    const table = quoteName(this.name),
      keyless = this.key.length === 0;
    const values = `INSERT INTO ${table} (${columns.map(quoteName).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
    const rest = columns.filter((c) => !this.key.includes(c)).map((c) => `${quoteName(c)} = excluded.${quoteName(c)}`);
    const on = `ON CONFLICT (${this.key.map(quoteName).join(', ')}) DO`;
    const put = keyless ? values : `${values} ${on} ${rest.length === 0 ? 'NOTHING' : `UPDATE SET ${rest.join(', ')}`}`;
    const insert = keyless || this.#config.conflict_resolution !== 'ignore' ? put : `${values} ${on} NOTHING`;
    const set = columns.map((c) => `${quoteName(c)} = ?`).join(', ');
    return {
      columns,
      types: columns.map((c) => this.#types.get(c) ?? null),
      affinities: columns.map((c) => this.#affinityOf(c)),
      insert: this.#db.prepare(insert),
      put: this.#db.prepare(put),
      patch: this.#db.prepare(keyless ? 'SELECT 1 WHERE 0' : `UPDATE ${table} SET ${set} WHERE ${this.#keyMatch()}`),
    };
  }

  #affinityOf(column: string): Affinity {
    return this.#affinities.get(column.toLowerCase()) ?? 'BLOB';
  }

  #keyMatch(): string {
    return this.key.map((c) => `${quoteName(c)} = ?`).join(' AND ');
  }
}

export class Targets {
  readonly #db: SqliteDatabase;
  readonly #config: SqliteConfig;
  /** By the schema object: a source hands over the same one until the table changes. */
  #known = new WeakMap<TableSchema, Target>();

  constructor(db: SqliteDatabase, config: SqliteConfig) {
    this.#db = db;
    this.#config = config;
  }

  /** After a rollback, tables that were made in the transaction are gone again. */
  forget(): void {
    this.#known = new WeakMap();
  }

  of(table: TableSchema, source: string): Target {
    const known = this.#known.get(table);
    if (known !== undefined) return known;
    const name = targetName(this.#config.table, table, source);
    if (this.#config.create_tables) this.#make(name, table);
    const target = new Target(this.#db, this.#config, name, table);
    this.#known.set(table, target);
    return target;
  }

  /** A column that the row has and the schema did not tell of: schemaless sources, columns that transformers add. */
  addColumns(table: TableSchema, source: string, columns: readonly string[]): void {
    this.#addMissing(
      this.of(table, source).name,
      columns.map((name) => ({ name, type: 'any', nativeType: '', nullable: true })),
    );
    this.forget();
  }

  #make(name: string, table: TableSchema): void {
    const columns = columnsOf(table);
    if (columnsAt(this.#db, name).size > 0) {
      this.#addMissing(name, columns);
      return;
    }
    const lines = columns.map((c) => `${quoteName(c.name)} ${declaredType(c)}`);
    if (table.key.length > 0) lines.push(`PRIMARY KEY (${table.key.map(quoteName).join(', ')})`);
    if (lines.length > 0) this.#db.exec(`CREATE TABLE ${quoteName(name)} (${lines.join(', ')})`);
    else
      throw new CdcError('DESTINATION_EVENT_REJECTED', `table "${name}" cannot be made: the source tells neither columns nor a key`, {
        fix: 'Create the table yourself, or name a key at the source.',
      });
  }

  #addMissing(name: string, columns: readonly Column[]): void {
    if (!this.#config.create_tables) return;
    const there = columnsAt(this.#db, name);
    for (const column of columns) {
      // Names of columns are compared without case.
      if (!there.has(column.name.toLowerCase()))
        this.#db.exec(`ALTER TABLE ${quoteName(name)} ADD COLUMN ${quoteName(column.name)} ${declaredType(column)}${defaultOf(column)}`);
    }
  }
}

/** Columns of a table that is there: names in lower case, as SQLite compares them, and declared types. Empty: there is none. */
function columnsAt(db: SqliteDatabase, table: string): Map<string, { declared: string; generated: boolean }> {
  const rows = db
    .prepare<unknown[], { name: string; type: string; hidden: bigint }>('SELECT name, type, hidden FROM pragma_table_xinfo(?)')
    .all(table);
  return new Map(rows.map((r) => [r.name.toLowerCase(), { declared: r.type, generated: r.hidden > 1n }]));
}

/** Without a schema at least the key columns are known; the others are added as rows bring them. */
function columnsOf(table: TableSchema): readonly Column[] {
  if (table.columns.length > 0) return table.columns;
  return table.key.map((name) => ({ name, type: 'any', nativeType: '', nullable: false }));
}

/** Rows that are there already get the source's default, as they did at the source. */
function defaultOf(column: Column): string {
  if (column.default === undefined || column.default === null) return '';
  const value = bind(column.default, column.type, affinityOf(declaredType(column)));
  if (typeof value === 'string') return ` DEFAULT ${quoteText(value)}`;
  if (value instanceof Uint8Array) return ` DEFAULT x'${Buffer.from(value).toString('hex')}'`;
  return Number.isFinite(Number(value)) ? ` DEFAULT ${value}` : '';
}

function targetName(template: string, table: TableSchema, source: string): string {
  const { id } = table;
  const parts: Readonly<Record<string, string>> = { table: id.table, schema: id.schema ?? '', database: id.database ?? '', source };
  const name = template.replace(/\{([^{}]*)\}/g, (_, part: string) => parts[part] ?? '');
  if (name === '' || name.includes('\0') || /^(?:sqlite_|_cdc_run_)/i.test(name)) {
    throw new CdcError('DESTINATION_MISCONFIGURED', `the target name of table ${formatTableId(id)} cannot be used: "${name}"`, {
      where: 'table',
      fix: 'Change `table`.',
    });
  }
  return name;
}
