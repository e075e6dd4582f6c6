// The dead letter queue as a table in a SQLite file: its own, or the pipeline's state file. Other processes may read and remove
// letters while a pipeline writes. The driver is loaded with the first call.

import { dirname, resolve } from 'node:path';
import type { DeadLetter, ReplayMark } from '../engine/api.ts';
import { CdcError, type Clock } from '../sdk/index.ts';
import { makeFolderSync } from '../util/make-folder.ts';
import { nextTurn } from '../util/next-turn.ts';
import {
  fileIdentity,
  inTransaction,
  loadSqlite,
  openSqlite,
  SQLITE_INSTALL,
  type SqliteDatabase,
  sqliteCode,
  whileBusy,
} from '../util/sqlite.ts';
import { formatLetter, parseLetter } from './letter-codec.ts';
import type { DeadLetterStore } from './store.ts';
import { assertWritable } from './writable.ts';

/** How long another writer may take before the put is tried again later. */
const BUSY_TIMEOUT_MS = 5_000;
/** Letters read at once: each may hold a large row. */
const PAGE = 200;

/** `seq` is the order of arrival. `letter` is the line that the file queue would write. */
const SCHEMA = `CREATE TABLE IF NOT EXISTS cdc_dead_letters (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, lane TEXT, stage TEXT NOT NULL,
  component TEXT NOT NULL, code TEXT NOT NULL, attempts INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  replay TEXT, letter TEXT NOT NULL)`;

/** A letter that comes again keeps its place and its first time. */
const PUT = `INSERT INTO cdc_dead_letters (id, pipeline, lane, stage, component, code, attempts, first_ms, last_ms, letter)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET code = excluded.code, attempts = attempts + excluded.attempts,
    last_ms = max(last_ms, excluded.last_ms), replay = NULL, letter = excluded.letter`;

const COLUMNS = 'seq, attempts, first_ms, last_ms, replay, letter';

interface LetterRow {
  readonly seq: number;
  readonly attempts: number;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly replay: string | null;
  readonly letter: string;
}

/** Nothing is opened or created before the first letter. */
export function openSqliteDeadLetterQueue(path: string, clock: Clock): DeadLetterStore {
  return new SqliteDeadLetterQueue(path, clock);
}

class SqliteDeadLetterQueue implements DeadLetterStore {
  readonly #path: string;
  readonly #clock: Clock;
  #open: { readonly db: SqliteDatabase; readonly identity: string | null } | null = null;

  constructor(path: string, clock: Clock) {
    this.#path = resolve(path);
    this.#clock = clock;
  }

  async put(letters: readonly DeadLetter[]): Promise<void> {
    const once = new Map(letters.map((letter) => [letter.id, letter]));
    // Invariant 3: the commit is synced, see #connect.
    await this.#call((db) =>
      inTransaction(db, 'immediate', () => {
        const put = db.prepare(PUT);
        for (const l of once.values())
          put.run(l.id, l.pipeline, l.lane, l.stage, l.component, l.error.code, l.attempts, l.firstMs, l.lastMs, formatLetter(l));
      }),
    );
  }

  async check(): Promise<void> {
    await assertWritable(this.#path).catch((error: unknown) => {
      throw classify(this.#path, error);
    });
  }

  async *letters(): AsyncIterable<DeadLetter> {
    if (!this.#exists()) return;
    for (let after = 0; ; ) {
      const rows = await this.#call((db) =>
        db.prepare<unknown[], LetterRow>(`SELECT ${COLUMNS} FROM cdc_dead_letters WHERE seq > ? ORDER BY seq LIMIT ${PAGE}`).all(after),
      );
      for (const row of rows) yield this.#parse(row);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.seq;
      await nextTurn();
    }
  }

  async get(id: string): Promise<DeadLetter | null> {
    if (!this.#exists()) return null;
    const row = await this.#call((db) => db.prepare<unknown[], LetterRow>(`SELECT ${COLUMNS} FROM cdc_dead_letters WHERE id = ?`).get(id));
    return row === undefined ? null : this.#parse(row);
  }

  async remove(ids: ReadonlySet<string>): Promise<number> {
    if (ids.size === 0 || !this.#exists()) return 0;
    return this.#call((db) =>
      inTransaction(db, 'immediate', () => {
        // Pages of removed letters are overwritten: they may hold what the operator wants gone.
        db.pragma('secure_delete = on');
        const remove = db.prepare('DELETE FROM cdc_dead_letters WHERE id = ?');
        return [...ids].reduce((n, id) => n + remove.run(id).changes, 0);
      }),
    );
  }

  async mark(ids: readonly string[], mark: ReplayMark): Promise<void> {
    await this.#call((db) =>
      inTransaction(db, 'immediate', () => {
        const update = db.prepare('UPDATE cdc_dead_letters SET replay = ? WHERE id = ?');
        for (const id of ids) update.run(JSON.stringify(mark), id);
      }),
    );
  }

  async close(): Promise<void> {
    this.#open?.db.close();
    this.#open = null;
  }

  #exists(): boolean {
    return fileIdentity(this.#path) !== null;
  }

  #parse(row: LetterRow): DeadLetter {
    try {
      const letter = parseLetter(row.letter);
      const { attempts, first_ms: firstMs, last_ms: lastMs, replay } = row;
      return { ...letter, attempts, firstMs, lastMs, ...(replay === null ? {} : { replay: JSON.parse(replay) as ReplayMark }) };
    } catch (cause) {
      throw unavailable(
        this.#path,
        `row ${row.seq} of cdc_dead_letters is not a dead letter`,
        'Remove the row, or restore the file.',
        cause,
      );
    }
  }

  async #call<T>(work: (db: SqliteDatabase) => T): Promise<T> {
    try {
      await nextTurn();
      // What is written to a file that was removed or replaced is seen by nobody.
      if (this.#open !== null && fileIdentity(this.#path) !== this.#open.identity) await this.close();
      this.#open ??= await this.#connect();
      const { db } = this.#open;
      return await whileBusy(this.#clock, BUSY_TIMEOUT_MS, () => work(db));
    } catch (error) {
      throw classify(this.#path, error);
    }
  }

  async #connect(): Promise<{ db: SqliteDatabase; identity: string | null }> {
    const driver = await loadSqlite();
    if (driver === null) throw missingDriver();
    makeFolderSync(dirname(this.#path));
    const db = openSqlite(driver, this.#path, { mustExist: false });
    try {
      await whileBusy(this.#clock, BUSY_TIMEOUT_MS, () => {
        db.pragma('journal_mode = wal');
        // In WAL mode only `full` syncs at each commit.
        db.pragma('synchronous = full');
        db.pragma('cache_size = -2048');
        db.exec(SCHEMA);
      });
      return { db, identity: fileIdentity(this.#path) };
    } catch (error) {
      db.close();
      throw error;
    }
  }
}

function missingDriver(): CdcError {
  return new CdcError(
    'DEPENDENCY_MISSING',
    'A dead letter queue of type sqlite needs the package better-sqlite3, which is not installed.',
    {
      where: 'error_handling.dead_letter_queue.type',
      fix: `Run \`${SQLITE_INSTALL}\`.`,
    },
  );
}

const RETRIABLE = ['SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_FULL', 'SQLITE_IOERR'];

function classify(path: string, cause: unknown): CdcError {
  if (cause instanceof CdcError) return cause;
  const code = sqliteCode(cause);
  const fix = code.startsWith('SQLITE_FULL')
    ? 'Free space on the disk that holds the file.'
    : 'Check that the path is a SQLite file, or free, and that this user may write it.';
  const text = cause instanceof Error ? cause.message : String(cause);
  return unavailable(
    path,
    text,
    fix,
    cause,
    RETRIABLE.some((c) => code.startsWith(c)),
  );
}

function unavailable(path: string, what: string, fix: string, cause: unknown, retriable = false): CdcError {
  return new CdcError('DLQ_UNAVAILABLE', `The dead letter queue in ${path} cannot be used: ${what}.`, {
    where: 'error_handling.dead_letter_queue.path',
    retriable,
    cause,
    fix,
  });
}
