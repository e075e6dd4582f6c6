// The connection of a SQLite source: opened at the first use, one transaction per call, never open across an await. Waits
// for locks without stopping the process.

import type { ComponentContext } from '../../sdk/index.ts';
import { nextTurn } from '../../util/next-turn.ts';
import {
  fileIdentity,
  inTransaction,
  loadSqlite,
  openSqlite,
  type SqliteDatabase,
  type SqliteModule,
  whileBusy,
} from '../../util/sqlite.ts';
import { driverMissing, fileMissing, fileReplaced, sourceError } from './errors.ts';

export class SourceConnection {
  readonly path: string;
  readonly where: string;
  readonly #ctx: ComponentContext;
  readonly #busyTimeoutMs: number;
  #db: SqliteDatabase | null = null;
  #module: SqliteModule | null = null;
  #identity: string | null = null;

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
      await nextTurn();
      this.#module ??= await loadSqlite();
      const module = this.#module;
      if (module === null) throw driverMissing(this.where);
      return await whileBusy(
        this.#ctx.clock,
        this.#busyTimeoutMs,
        () => {
          const db = this.#db === null ? this.#open(module) : this.#sameFile(this.#db);
          return inTransaction(db, kind, () => work(db));
        },
        signal,
      );
    } catch (error) {
      throw sourceError(error, this.path, this.where);
    }
  }

  /** A restored backup is another file: the next reading opens it, and finds out whether its history goes on where ours ended. */
  #sameFile(db: SqliteDatabase): SqliteDatabase {
    if (fileIdentity(this.path) === this.#identity) return db;
    this.close();
    throw fileReplaced(this.path, this.where);
  }

  #open(module: SqliteModule): SqliteDatabase {
    const identity = fileIdentity(this.path);
    if (identity === null) throw fileMissing(this.path, this.where);
    const db = openSqlite(module, this.path, { mustExist: true });
    try {
      db.defaultSafeIntegers(true);
      // 2 MB of page cache: what is read is read once. The driver's default is 16 MB.
      db.pragma('cache_size = -2048');
    } catch (error) {
      db.close();
      throw error;
    }
    this.#db = db;
    this.#identity = identity;
    return db;
  }
}
