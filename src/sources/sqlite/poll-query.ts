// What one polled table (or `query`) asks its database. All comparisons are SQLite's own, byte by byte (COLLATE BINARY), in
// the order that `compareTuples` has too.

import type { Column } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { SqliteDatabase, SqliteStatement } from '../../util/sqlite.ts';
import type { SqliteSourceConfig, WatermarkConfig } from './config.ts';
import { namesOf, planRows, type RowPlan, selectedPlan } from './decode.ts';
import { watermarkMissing } from './errors.ts';
import { readTable } from './introspect.ts';
import type { PollPlace } from './position.ts';
import { type Stored, typeOf } from './types.ts';

/** `:last_sync` before anything was read: below every value of its type. */
const BEFORE_ALL: Readonly<Record<WatermarkConfig['type'], Stored>> = { integer: -(2n ** 63n), timestamp: '', text: '' };
/** A time in ms since the epoch, as precise as a Julian day: within a fraction of a millisecond. NULL for what is no time. */
const MS_SQL = (column: string): string => `(julianday(${column}) - 2440587.5) * 86400000.0`;

export class PollQuery {
  readonly plan: RowPlan;
  readonly partition: string;
  /** Places of watermark and key in a row that was read. */
  readonly tupleAt: readonly number[];
  /** Place of the watermark's time in ms since the epoch; `null` when it is no timestamp. */
  readonly timeAt: number | null;
  readonly #db: SqliteDatabase;
  readonly #watermark: WatermarkConfig;
  readonly #from: string;
  readonly #order: readonly string[];
  readonly #selected: readonly string[];
  readonly #hasLastSync: boolean;
  readonly #statements = new Map<string, SqliteStatement>();

  private constructor(
    db: SqliteDatabase,
    watermark: WatermarkConfig,
    plan: RowPlan,
    from: string,
    order: readonly string[],
    hasLastSync: boolean,
  ) {
    this.#db = db;
    this.#watermark = watermark;
    this.plan = selectedPlan(plan);
    this.partition = plan.schema.id.table;
    this.#from = from;
    this.#order = order.map(quoteName);
    this.#hasLastSync = hasLastSync;
    const chosen = plan.schema.columns.map((c) => c.name),
      extra = order.filter((name) => !chosen.includes(name)),
      all = [...chosen, ...extra];
    this.tupleAt = order.map((name) => all.indexOf(name));
    this.timeAt = watermark.type === 'timestamp' ? all.length : null;
    this.#selected = [...all.map(quoteName), ...(this.timeAt === null ? [] : [MS_SQL(quoteName(watermark.column))])];
  }

  static ofTable(
    db: SqliteDatabase,
    name: string,
    version: number,
    config: SqliteSourceConfig,
    watermark: WatermarkConfig,
    where: string,
  ): PollQuery {
    const table = readTable(db, name);
    if (table === null || !table.columns.some((c) => c.name === watermark.column)) throw watermarkMissing(name, watermark.column, where);
    const key = watermark.key ?? (table.key.length > 0 ? table.key : [table.rowid ?? '']);
    const keyed = table.key.length > 0 || watermark.key === undefined ? table : { ...table, key: watermark.key };
    return new PollQuery(
      db,
      watermark,
      planRows(keyed, version, config.columns, config.types),
      quoteName(name),
      orderOf(watermark.column, key),
      false,
    );
  }

  static ofQuery(db: SqliteDatabase, config: SqliteSourceConfig, query: string, watermark: WatermarkConfig, where: string): PollQuery {
    const from = `(${query.trim().replace(/;$/, '')})`,
      table = config.tables[0] as string,
      key = watermark.key ?? [];
    const columns = db
      .prepare(`SELECT * FROM ${from}`)
      .columns()
      .map(
        ({ name, type }): Column => ({
          name,
          nativeType: type ?? '',
          nullable: !key.includes(name),
          ...(config.types === 'stored' ? { type: 'any' } : typeOf(type ?? '')),
        }),
      );
    const absent = [watermark.column, ...key].find((name) => !columns.some((c) => c.name === name));
    if (absent !== undefined) throw watermarkMissing('query', absent, where);
    const plan: RowPlan = {
      schema: { id: { database: null, schema: null, table }, columns, key, version: 1 },
      at: columns.map((_, i) => i),
      width: columns.length,
      ...namesOf(columns),
      keyAt: key.map((name) => columns.findIndex((c) => c.name === name)),
      plain: columns.every((c) => c.type !== 'boolean' && c.type !== 'decimal'),
    };
    return new PollQuery(db, watermark, plan, from, orderOf(watermark.column, key), /:last_sync\b/.test(query));
  }

  /** Rows behind `after`, up to `upTo`, in order. */
  rows(after: PollPlace | null, upTo: readonly Stored[] | null, limit: number): Iterable<Stored[]> {
    return this.#statement(`SELECT ${this.#selected.join(', ')} ${this.#rowsSql(after, upTo)} LIMIT ?`).iterate(
      ...boundsOf(after, upTo),
      limit,
      ...this.#named(after),
    ) as Iterable<Stored[]>;
  }

  /** The bytes of one column of the row with this number among `rows`: see `TextCheck`. */
  bytesOf(column: number, after: PollPlace | null, upTo: readonly Stored[] | null, index: number): { sql: string; parameters: unknown[] } {
    const sql = `SELECT CAST(${this.#selected[column]} AS BLOB) ${this.#rowsSql(after, upTo)} LIMIT 1 OFFSET ?`;
    return { sql, parameters: [...boundsOf(after, upTo), index, ...this.#named(after)] };
  }

  #rowsSql(after: PollPlace | null, upTo: readonly Stored[] | null): string {
    const columns = this.#order.map((c) => `${c} COLLATE BINARY`),
      order = columns.join(', '),
      marks = columns.map(() => '?').join(', ');
    // SQLite finds no index for rows of columns with a collation: the bound of the first column alone makes it use one.
    const bound = (operator: string): string => `${columns[0]} ${operator}= ? AND (${order}) ${operator === '>' ? '>' : '<='} (${marks})`;
    const from = after === null ? `${this.#order[0]} IS NOT NULL` : bound('>');
    return `FROM ${this.#from} WHERE ${from}${upTo === null ? '' : ` AND ${bound('<')}`} ORDER BY ${order}`;
  }

  /** Watermark and key of the newest row; timestamps beyond `nowMs` (and the error of a Julian day) are left out. `null`: there is no row. */
  newest(after: PollPlace | null, nowMs: number): Stored[] | null {
    const order = this.#order.map((c) => `${c} COLLATE BINARY DESC`).join(', '),
      column = this.#order[0] as string;
    const past = this.timeAt === null ? '' : ` AND ${MS_SQL(column)} <= ${Math.ceil(nowMs) + 1}`;
    return (
      (this.#statement(
        `SELECT ${this.#order.join(', ')} FROM ${this.#from} WHERE ${column} IS NOT NULL${past} ORDER BY ${order} LIMIT 1`,
      ).get(...this.#named(after)) as Stored[] | undefined) ?? null
    );
  }

  #statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql).raw();
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** The watermark before the last one: the query must give the rows again that share the last one. */
  #named(after: PollPlace | null): { last_sync: Stored }[] {
    return this.#hasLastSync ? [{ last_sync: after?.before ?? BEFORE_ALL[this.#watermark.type] }] : [];
  }

  /** Positions of a query carry the watermark before, too. */
  get carriesBefore(): boolean {
    return this.#hasLastSync;
  }
  get beforeAll(): Stored {
    return BEFORE_ALL[this.#watermark.type];
  }
}

/** The key's own column may be what grows. */
const orderOf = (column: string, key: readonly string[]): string[] => [...new Set([column, ...key])];

/** Parameters of `#rowsSql`: each bound is its first column alone, then whole. */
function boundsOf(after: PollPlace | null, upTo: readonly Stored[] | null): Stored[] {
  return [after?.tuple ?? [], upTo ?? []].flatMap((tuple) => [...tuple.slice(0, 1), ...tuple]);
}
