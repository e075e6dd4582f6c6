// A source on a database of its own, read as the engine reads it: sessions that end at any batch and go on from what was stored.

import type { ChangeBatch, ChangeEvent, SnapshotProgress, Source } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/memory-store.ts';
import { positionsAfter, progressAfter, Reader, type ReadFrom, testContext } from '../../../src/sdk/testing/reading.ts';
import type { MysqlSourceConfig } from '../../../src/sources/mysql/config.ts';
import { descriptor } from '../../../src/sources/mysql/index.ts';
import { createMysqlDatabase, type MysqlDatabase, type ServerName } from '../../helpers/mysql.ts';
import { MYSQL_SOURCE_DEFAULTS } from '../../helpers/mysql-source.ts';

export class SourceWorld implements AsyncDisposable {
  readonly db: MysqlDatabase;
  readonly config: MysqlSourceConfig;
  store = memoryStore();
  /** What was handed over and stored. */
  batches: ChangeBatch[] = [];
  #source: Source | null = null;
  #reader: Reader | null = null;

  private constructor(db: MysqlDatabase, more: Partial<MysqlSourceConfig>) {
    this.db = db;
    this.config = { ...MYSQL_SOURCE_DEFAULTS, url: db.url, ...more };
  }

  static async create(server: ServerName, sql: string, more: Partial<MysqlSourceConfig> = {}): Promise<SourceWorld> {
    const db = await createMysqlDatabase(server);
    await db.query(sql);
    return new SourceWorld(db, more);
  }

  /** On a database that somebody else owns. */
  static on(db: Pick<MysqlDatabase, 'url' | 'query'>, more: Partial<MysqlSourceConfig> = {}): SourceWorld {
    const { url, query } = db;
    const borrowed = { name: 'shop', url, query: query.bind(db), connect: () => Promise.reject(new Error('connect to its server')) };
    return new SourceWorld({ ...borrowed, [Symbol.asyncDispose]: () => Promise.resolve() }, more);
  }

  /** A new session behind what is stored. */
  async open(from: ReadFrom = {}, more: Partial<MysqlSourceConfig> = {}): Promise<Reader> {
    await this.stop();
    this.#source = await descriptor.create({ ...this.config, ...more }, testContext('db', this.store));
    const stored = { partitions: positionsAfter(this.batches), snapshots: progressAfter(this.batches) };
    this.#reader = new Reader(this.#source, { ...stored, ...from });
    return this.#reader;
  }

  /** The same source reads once more, as behind a retriable error. */
  async reopen(): Promise<Reader> {
    if (this.#source === null) return this.open();
    await this.#reader?.stop().catch(() => undefined);
    this.#reader = new Reader(this.#source, { partitions: positionsAfter(this.batches), snapshots: progressAfter(this.batches) });
    return this.#reader;
  }

  get source(): Source {
    if (this.#source === null) throw new Error('no session is open');
    return this.#source;
  }

  /** Takes batches until `enough`, and stores them. */
  async take(
    reader: Reader,
    enough: (events: readonly ChangeEvent[], progress: readonly SnapshotProgress[]) => boolean,
    what: string,
  ): Promise<ChangeEvent[]> {
    while (!enough(this.events, progressAfter(this.batches))) {
      const batch = await reader.next(what);
      if (batch === null) break;
      this.batches.push(batch);
    }
    return this.events;
  }

  /** A session that has read existing rows to their end. */
  async streaming(): Promise<Reader> {
    const reader = await this.open();
    await this.take(reader, (_, progress) => areDone(progress) && this.batches.length > 0, 'the end of existing rows');
    return reader;
  }

  get events(): ChangeEvent[] {
    return this.batches.flatMap((b) => b.events);
  }

  async stop(): Promise<void> {
    await this.#reader?.stop().catch(() => undefined);
    await this.#source?.close();
    this.#reader = this.#source = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.db[Symbol.asyncDispose]();
  }
}

export const areDone = (progress: readonly SnapshotProgress[]): boolean =>
  progress.length > 0 && progress.every((s) => s.state !== 'running');
