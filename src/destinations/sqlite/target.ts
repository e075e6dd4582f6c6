// Target tables: which one an event goes to, making it and its columns as far as `schema_evolution` lets it, and the prepared
// statements per shape of row. Statements are made once per table and set of columns: preparing one costs as much as writing five
// rows.

import {
  CdcError,
  type ChangeEvent,
  type ColumnType,
  changedColumns,
  formatTableId,
  type Logger,
  type SchemaEvolution,
  schemaFrozen,
  type TableSchema,
} from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { SqliteDatabase, SqliteStatement } from '../../util/sqlite.ts';
import type { SqliteConfig } from './config.ts';
import {
  addStatement,
  createStatement,
  type Decision,
  decide,
  frozen,
  misfitStatements,
  misfitTexts,
  type TargetColumns,
  wantedColumns,
} from './schema.ts';
import { type Affinity, affinityOf } from './types.ts';

/** Statements for rows with one set of columns. */
export interface Shape {
  readonly target: Target;
  readonly columns: readonly string[];
  readonly types: readonly (ColumnType | null)[];
  /** What SQLite would convert values of each column to. */
  readonly affinities: readonly Affinity[];
  /** Columns of such a row that are left out because the target has no place for them. */
  readonly leftOut: number;
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
  known(columns: readonly string[]): Shape | undefined {
    const known = this.#byArray.get(columns);
    if (known !== undefined) return known;
    const shape = this.#byText.get(JSON.stringify(columns));
    if (shape !== undefined) this.#remember(columns, shape);
    return shape;
  }

  /** Statements for rows with these columns, without those in `leftOut`. */
  prepare(columns: readonly string[], leftOut: ReadonlySet<string>): Shape {
    const shape = this.#prepare(columns, leftOut);
    this.#byText.set(JSON.stringify(columns), shape);
    this.#remember(columns, shape);
    return shape;
  }

  #remember(columns: readonly string[], shape: Shape): void {
    if (this.#byArray.size < 64) this.#byArray.set(columns, shape);
  }

  #prepare(given: readonly string[], leftOut: ReadonlySet<string>): Shape {
    const columns = given.filter((c) => !this.#generated.has(c.toLowerCase()) && !leftOut.has(c));
    const table = quoteName(this.name),
      keyless = this.key.length === 0;
    const values = `INSERT INTO ${table} (${columns.map(quoteName).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
    const rest = columns.filter((c) => !this.key.includes(c)).map((c) => `${quoteName(c)} = excluded.${quoteName(c)}`);
    const on = `ON CONFLICT (${this.key.map(quoteName).join(', ')}) DO`;
    const put = keyless ? values : `${values} ${on} ${rest.length === 0 ? 'NOTHING' : `UPDATE SET ${rest.join(', ')}`}`;
    const insert = keyless || this.#config.conflict_resolution !== 'ignore' ? put : `${values} ${on} NOTHING`;
    const set = columns.map((c) => `${quoteName(c)} = ?`).join(', ');
    return {
      target: this,
      columns,
      types: columns.map((c) => this.#types.get(c) ?? null),
      affinities: columns.map((c) => this.#affinityOf(c)),
      leftOut: leftOut.size,
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

interface TargetsOptions {
  readonly config: SqliteConfig;
  readonly evolution: SchemaEvolution;
  readonly logger: Logger;
  /** The destination, for errors. */
  readonly where: string;
}

export class Targets {
  readonly #db: SqliteDatabase;
  readonly #o: TargetsOptions;
  /** By the schema object: a source hands over the same one until the table changes. */
  #known = new WeakMap<TableSchema, Target>();
  readonly #warned = new Set<string>();
  #version: unknown = null;

  constructor(db: SqliteDatabase, options: TargetsOptions) {
    this.#db = db;
    this.#o = options;
  }

  /** After a rollback, tables that were made in the transaction are gone again. */
  forget(): void {
    this.#known = new WeakMap();
  }

  /** At the start of a batch: somebody may have changed tables by hand since the last one. */
  refresh(): void {
    const version: unknown = this.#db.pragma('schema_version', { simple: true });
    if (version !== this.#version) this.forget();
    this.#version = version;
  }

  of(table: TableSchema, source: string): Target {
    const known = this.#known.get(table);
    if (known !== undefined) return known;
    const name = targetName(this.#o.config.table, table, source),
      decision = this.#decide(name, table, []);
    if (decision.create) this.#create(name, table);
    this.#add(name, decision);
    const target = new Target(this.#db, this.#o.config, name, table);
    this.#known.set(table, target);
    return target;
  }

  /** The statements for the event's row, once the target has the columns or the mode says what to do without. */
  shape(event: ChangeEvent, target: Target): Shape {
    const columns = event.columns('after'),
      known = target.known(columns);
    if (known !== undefined) return known;
    const decision = this.#judge(event, target.name, columns);
    if (decision.add.length === 0) {
      const lacking = decision.misfits.flatMap((m) => (m.kind === 'no_column' ? [m.column.name] : []));
      return target.prepare(columns, new Set(this.#modeOf(event.table) === 'discard' ? lacking : []));
    }
    // A column that the row has and the schema did not tell of: schemaless sources, columns that transformers add.
    this.#add(target.name, decision);
    this.forget();
    return this.of(event.table, event.source).prepare(columns, new Set());
  }

  /** A schema change is answered when it comes, not when the first row shows it. */
  follow({ table, schemaChange }: ChangeEvent, target: Target): void {
    const before = schemaChange?.previous?.columns ?? null;
    this.#judge({ table }, target.name, changedColumns(table.columns, before));
  }

  /** The row has a NULL where the target takes none. `null`: then it is the row that is at fault. */
  frozenBy(table: TableSchema, target: string, problem: string): CdcError | null {
    if (this.#modeOf(table) !== 'freeze') return null;
    return schemaFrozen(table.id, `"${target}"`, [problem], [], this.#o.where);
  }

  /** Throws where nothing may be written; says once what does not fit. */
  #judge({ table }: Pick<ChangeEvent, 'table'>, name: string, columns: readonly string[]): Decision {
    const decision = this.#decide(name, table, columns);
    if (decision.stop && decision.misfits.some((m) => m.kind !== 'no_table')) throw frozen(table, name, decision, this.#o.where);
    const texts = misfitTexts(decision).filter((text) => !this.#warned.has(`${name} ${text}`));
    for (const text of texts) this.#warned.add(`${name} ${text}`);
    if (texts.length > 0)
      this.#o.logger.warn('a target table does not fit its source table', {
        table: name,
        source: formatTableId(table.id),
        mode: this.#modeOf(table),
        differences: texts,
        fix: misfitStatements(name, decision),
      });
    return decision;
  }

  #decide(name: string, table: TableSchema, columns: readonly string[]): Decision {
    return decide(columnsAt(this.#db, name), table, columns, this.#modeOf(table), this.#o.config.create_tables);
  }

  #modeOf(table: TableSchema): ReturnType<SchemaEvolution['modeOf']> {
    return this.#o.evolution.modeOf(table.id);
  }

  #create(name: string, table: TableSchema): void {
    const columns = wantedColumns(table, []);
    if (columns.length > 0) this.#db.exec(createStatement(name, columns, table.key));
    else
      throw new CdcError('DESTINATION_EVENT_REJECTED', `table "${name}" cannot be made: the source tells neither columns nor a key`, {
        fix: 'Create the table yourself, or name a key at the source.',
      });
  }

  #add(name: string, { add }: Decision): void {
    for (const column of add) this.#db.exec(addStatement(name, column));
  }
}

/** Columns of a table that is there: names in lower case, as SQLite compares them, and declared types. Empty: there is none. */
export function columnsAt(db: SqliteDatabase, table: string): TargetColumns {
  const rows = db
    .prepare<unknown[], { name: string; type: string; hidden: bigint }>('SELECT name, type, hidden FROM pragma_table_xinfo(?)')
    .all(table);
  return new Map(rows.map((r) => [r.name.toLowerCase(), { declared: r.type, generated: r.hidden > 1n }]));
}

export function targetName(template: string, table: TableSchema, source: string): string {
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
