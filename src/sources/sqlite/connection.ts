// The connection of a SQLite source: opened at the first use, one transaction per call, never open across an await. Waits
// for locks without stopping the process.

import { existsSync } from 'node:fs';
import { CdcError, type ComponentContext } from '../../sdk/index.ts';
import { inTransaction, loadSqlite, nextTurn, openSqlite, type SqliteDatabase, whileBusy } from '../../util/sqlite.ts';
import { driverMissing, sourceError } from './errors.ts';

export class SourceConnection {
  readonly path: string;
  readonly where: string;
  readonly #ctx: ComponentContext;
  readonly #busyTimeoutMs: number;
  #db: SqliteDatabase | null = null;

  constructor(path: string, busyTimeoutMs: number, ctx: ComponentContext) {
    this.path = path;
    this.where = `source "${ctx.name}"`;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#ctx = ctx;
  }

  /** One read transaction: everything in it sees the same state of the database. */
  read<T>(work: (db: SqliteDatabase) => T, signal?: AbortSignal): Promise<T> {
    return this.#run('deferred', work, signal);
  }

  /** One write transaction, with the lock from its beginning. */
  write<T>(work: (db: SqliteDatabase) => T, signal?: AbortSignal): Promise<T> {
    return this.#run('immediate', work, signal);
  }

  close(): void {
    this.#db?.close();
    this.#db = null;
  }

  async #run<T>(kind: 'deferred' | 'immediate', work: (db: SqliteDatabase) => T, signal?: AbortSignal): Promise<T> {
    try {
      const db = this.#db ?? (await this.#open());
      await nextTurn();
      return await whileBusy(this.#ctx.clock, this.#busyTimeoutMs, () => inTransaction(db, kind, () => work(db)), signal);
    } catch (error) {
      throw sourceError(error, this.path, this.where);
    }
  }

  async #open(): Promise<SqliteDatabase> {
    const module = await loadSqlite();
    if (module === null) throw driverMissing(this.where);
    if (!existsSync(this.path)) {
      throw new CdcError('SOURCE_UNREACHABLE', `There is no database at ${this.path}.`, {
        where: this.where,
        fix: 'Create it, or correct `path` (it starts at the working directory).',
        retriable: true,
      });
    }
    // Calls may come together at the start: the first one that gets here keeps its connection.
    const db = this.#db ?? openSqlite(module, this.path, { mustExist: true });
    db.defaultSafeIntegers(true);
    this.#db = db;
    return db;
  }
}
