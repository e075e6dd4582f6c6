// A source on a database of its own, read as the engine reads it: sessions that end at any batch and go on from what was stored.

import type { ChangeBatch, ChangeEvent, SnapshotProgress, Source } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/memory-store.ts';
import { positionsAfter, progressAfter, Reader, type ReadFrom, testContext } from '../../../src/sdk/testing/reading.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { descriptor } from '../../../src/sources/postgresql/index.ts';
import { createDatabase, type TestDatabase } from '../../helpers/postgres.ts';
import { dropSlots } from '../../helpers/postgres-slots.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';

export class SourceWorld implements AsyncDisposable {
  readonly db: TestDatabase;
  readonly slot: string;
  readonly config: PostgresqlSourceConfig;
  store = memoryStore();
  /** What was handed over and stored. */
  batches: ChangeBatch[] = [];
  /** What was warned of. */
  readonly warnings: string[] = [];
  #source: Source | null = null;
  #reader: Reader | null = null;

  private constructor(db: TestDatabase, more: Partial<PostgresqlSourceConfig>) {
    this.db = db;
    this.slot = db.name;
    this.config = { ...POSTGRESQL_SOURCE_DEFAULTS, url: db.url, slot_name: this.slot, ...more };
  }

  static async create(sql: string, more: Partial<PostgresqlSourceConfig> = {}): Promise<SourceWorld> {
    const db = await createDatabase();
    await db.query(sql);
    return new SourceWorld(db, more);
  }

  /** A new session behind what is stored. */
  async open(from: ReadFrom = {}, more: Partial<PostgresqlSourceConfig> = {}): Promise<Reader> {
    await this.stop();
    const context = testContext('db', this.store),
      logger = { ...context.logger, warn: (message: string): void => void this.warnings.push(message) };
    this.#source = await descriptor.create({ ...this.config, ...more }, { ...context, logger });
    const stored = { partitions: positionsAfter(this.batches), snapshots: progressAfter(this.batches) };
    this.#reader = new Reader(this.#source, { ...stored, ...from });
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
    await dropSlots(this.db);
    await this.db[Symbol.asyncDispose]();
  }
}

export const areDone = (progress: readonly SnapshotProgress[]): boolean =>
  progress.length > 0 && progress.every((s) => s.state !== 'running');
