// What statements in the log mean: borders of transactions, DDL, and changes that are not rows. Only kind and tables of a statement are
// known (binlog/statement.ts), so none is too strange to be passed.

import type { Assembler } from './batches.ts';
import type { QueryEvent } from './binlog/events.ts';
import type { RowsMoved, Statement, TableName } from './binlog/statement.ts';
import { withMark } from './position.ts';
import { type ReadingOptions, reject } from './reading-options.ts';
import { nameOfTable, tableId } from './schemas.ts';
import type { TableStops } from './table-stops.ts';
import type { Transactions } from './transactions.ts';

const MAX_SQL_SHOWN = 200;

/** Is the table that has this name another one behind the statement, or none? */
function goes({ verb, tables, renamedTo, replaces }: Extract<Statement, { kind: 'ddl' }>, table: TableName): boolean {
  return verb === 'drop' || replaces === true || (renamedTo.length > 0 && tables.includes(table));
}

export class Statements {
  readonly #o: ReadingOptions;
  readonly #assembler: Assembler;
  readonly #transactions: Transactions;
  readonly #stops: TableStops;

  constructor(options: ReadingOptions, assembler: Assembler, transactions: Transactions, stops: TableStops) {
    this.#o = options;
    this.#assembler = assembler;
    this.#transactions = transactions;
    this.#stops = stops;
  }

  /** `null`: done; else it waits for the catalog or the store. */
  take(event: QueryEvent, at: number): Promise<void> | null {
    const { statement, header } = event,
      transactions = this.#transactions;
    switch (statement.kind) {
      case 'xa_start':
      case 'begin':
        transactions.open(header, at, statement.kind === 'xa_start');
        return null;
      case 'rollback':
        transactions.dropKept();
        return this.#rolledBack(at, true);
      case 'commit':
        return transactions.end(at);
      case 'xa_commit':
      case 'xa_rollback':
        return transactions.decide(event, at);
      case 'savepoint':
        return /^\s*ROLLBACK\b/i.test(event.sql) ? this.#rolledBack(at, false) : null;
      case 'xa_end':
        return null;
      case 'ddl':
        return this.#ddl(event, at);
      case 'drop_database':
        return this.#dropDatabase(event, at);
      case 'change':
        return this.#change(event, at);
      default:
        transactions.ensure(header, at);
        transactions.commitAlone();
        return null;
    }
  }

  /**
   * Is in the log only where tables without transactions were written in between: what was changed in those stays, all else does not. The
   * log does not say which is which, and some of it may have been handed over.
   */
  async #rolledBack(at: number, isEnd: boolean): Promise<void> {
    if (this.#assembler.isInTransaction && this.#assembler.hasRows) {
      const place = this.#assembler.count(at);
      if (!this.#assembler.isRepeated)
        await reject(
          this.#o,
          'a ROLLBACK',
          place,
          'It took back changes of its transaction that were handed over: tables without transactions are in it, too.',
        );
    }
    if (isEnd) this.#transactions.commit();
  }

  async #ddl(event: QueryEvent, at: number): Promise<void> {
    const { statement, header, sql } = event;
    if (statement.kind !== 'ddl') return;
    this.#transactions.ensure(header, at);
    if (!statement.temporary) {
      for (const [i, to] of statement.renamedTo.entries()) this.#o.tracker.renamed(statement.tables[i] as TableName, to);
      for (const table of [...statement.tables, ...statement.renamedTo]) {
        if (statement.verb === 'truncate') await this.#truncate(table, event, at);
        else if (statement.verb === 'index') this.#indexed(table, event, at);
        else this.#changed(table, goes(statement, table), event, at);
      }
      if (statement.moved !== undefined) await this.#moved(statement.moved, event, at);
      if (statement.tables.length === 0)
        this.#o.logger.warn('a DDL names no table that could be read', { sql: sql.slice(0, MAX_SQL_SHOWN) });
    }
    this.#transactions.commitAlone();
  }

  #changed({ database, table }: TableName, isGone: boolean, { sql, header }: QueryEvent, at: number): void {
    const place = this.#assembler.count(at),
      { tracker, isTable } = this.#o;
    if (!isTable(database, table)) return;
    tracker.changed(database, table, sql);
    this.#assembler.forgetAll();
    const previous = tracker.latest(tableId(database, table));
    if (!isGone || previous === null || this.#assembler.isRepeated) return;
    this.#assembler.schemaChange(previous, { kind: 'drop', previous, ddl: sql }, place, this.#transactions.tsOf(header));
  }

  /** With whole partitions or files: whoever follows the rows of the table hears nothing of them. */
  async #moved({ gains, losses }: RowsMoved, { sql }: QueryEvent, at: number): Promise<void> {
    const place = this.#assembler.count(at),
      captured = (tables: readonly TableName[]): TableName[] => tables.filter((t) => this.#o.isTable(t.database, t.table));
    if (this.#assembler.isRepeated) return;
    for (const table of captured(gains))
      await this.#stops.stop(table, place, `Rows came into it that are not in the log: ${sql.slice(0, MAX_SQL_SHOWN)}`);
    for (const table of captured(losses))
      this.#o.logger.warn('rows went with a partition, and stay at the destinations', {
        table: nameOfTable(table),
        sql: sql.slice(0, MAX_SQL_SHOWN),
      });
  }

  /** Rows look as before; what their key is may be another. */
  #indexed({ database, table }: TableName, { sql }: QueryEvent, at: number): void {
    this.#assembler.count(at);
    if (!this.#o.isTable(database, table)) return;
    this.#o.tracker.indexed(database, table, sql);
    this.#assembler.forgetAll();
  }

  async #truncate({ database, table }: TableName, { header }: QueryEvent, at: number): Promise<void> {
    const known = this.#o.isTable(database, table) ? await this.#o.tracker.current(database, table) : null;
    if (known === null) this.#assembler.count(at);
    else this.#assembler.truncate(known, at, this.#transactions.tsOf(header));
  }

  #dropDatabase({ statement, header, sql }: QueryEvent, at: number): null {
    if (statement.kind !== 'drop_database') return null;
    this.#transactions.ensure(header, at);
    const gone = this.#o.tracker.known(statement.database),
      place = this.#assembler.count(at);
    for (const [i, schema] of gone.entries()) {
      if (this.#assembler.isRepeated) break;
      const mark = withMark(place, `.d${String(i).padStart(5, '0')}`);
      this.#assembler.schemaChange(schema, { kind: 'drop', previous: schema, ddl: sql }, mark, this.#transactions.tsOf(header));
    }
    this.#transactions.commitAlone();
    return null;
  }

  /** `binlog_format=STATEMENT` in a session: rows were changed, and the log does not say which. Triggers and views hide tables from us. */
  async #change({ statement, header, database, sql }: QueryEvent, at: number): Promise<void> {
    if (statement.kind !== 'change') return;
    this.#transactions.ensure(header, at);
    const place = this.#assembler.count(at),
      why = `A change was logged as a statement (${sql.length} characters) and not as rows: binlog_format of its session is not ROW.`;
    if (!this.#assembler.isRepeated) {
      const tables =
        statement.table === null ? this.#named(database, sql) : [statement.table].filter((t) => this.#o.isTable(t.database, t.table));
      for (const table of tables) await this.#stops.stop(table, place, why);
      if (statement.table === null && tables.length === 0 && this.#o.tracker.mayConcern(database))
        await reject(this.#o, `a ${statement.verb.toUpperCase()} in ${database || 'no database'}`, place, why);
    }
    this.#transactions.commitAlone();
  }

  /** Captured tables whose names are words of the statement: more than it changes, if anything. */
  #named(database: string, sql: string): TableName[] {
    const words = new Set(sql.toLowerCase().match(/[\w$\u0080-\uffff]+/g) ?? []);
    return this.#o.tracker
      .known(database)
      .map(({ id }) => ({ database, table: id.table }))
      .filter(({ table }) => (table.toLowerCase().match(/[\w$\u0080-\uffff]+/g) ?? []).every((word) => words.has(word)));
  }
}
