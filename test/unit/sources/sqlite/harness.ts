// A SQLite database in a temporary folder, a source on it, and a destination made of maps: what the events of a source add
// up to, and whether they were a history that a destination can apply.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import {
  type ChangeBatch,
  type ChangeEvent,
  type Clock,
  forgetfulStore,
  type PartitionPositions,
  type ReadContext,
  type Row,
  type SnapshotProgress,
  type Source,
  type SourcePoint,
  silentLogger,
  type Value,
} from '../../../../src/sdk/index.ts';
import type { SqliteSourceConfig } from '../../../../src/sources/sqlite/config.ts';
import { descriptor } from '../../../../src/sources/sqlite/index.ts';

export type Db = BetterSqlite3.Database;

export const DEFAULTS: Omit<SqliteSourceConfig, 'path'> = {
  cdc_mode: 'trigger',
  tables: ['*'],
  columns: { include: ['*'], exclude: [] },
  types: 'declared',
  install_triggers: true,
  snapshot_mode: 'initial',
  poll_interval: 200,
  busy_timeout: 2000,
};

/** A clock that only moves when somebody sleeps. */
export class TestClock implements Clock {
  ms = Date.UTC(2024, 4, 1);
  onSleep: () => void = () => {};
  now(): number {
    return this.ms;
  }
  async sleep(ms: number): Promise<void> {
    this.ms += ms;
    this.onSleep();
  }
}

/** What outlives a run: stored positions and progress. */
export interface Stored {
  positions: PartitionPositions;
  snapshots: readonly SnapshotProgress[];
}
export const NOTHING: Stored = { positions: {}, snapshots: [] };

export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'cdc-sqlite-'));
  readonly path = join(this.folder, 'shop.db');
  readonly clock: TestClock;
  readonly rejects: { input: string; at: string; error: Error }[] = [];
  readonly #open: Db[] = [];

  constructor(clock = new TestClock()) {
    this.clock = clock;
  }

  /** A connection of an application. */
  db(path = this.path): Db {
    const db = new BetterSqlite3(path);
    // Nothing here survives a power cut anyway.
    db.pragma('synchronous = off');
    this.#open.push(db);
    return db;
  }

  source(config: Partial<SqliteSourceConfig> = {}, name = 'shop', seed = 1): Promise<Source> {
    let n = seed;
    const random = (): number => {
      n = (n * 16_807) % 2_147_483_647;
      return n / 2_147_483_647;
    };
    return descriptor.create(
      { ...DEFAULTS, path: this.path, ...config },
      { pipeline: 'p', name, logger: silentLogger, clock: this.clock, random, store: forgetfulStore },
    );
  }

  context(stored: Stored, until: SourcePoint | null, options: Partial<ReadContext> = {}): ReadContext {
    return {
      maxBatchEvents: 1000,
      maxBatchBytes: 1 << 24,
      until,
      snapshots: stored.snapshots,
      boundaries: [],
      assign: async (p) => stored.positions[p] ?? null,
      revoke: async () => {},
      end: async () => {},
      reject: async (input, at, error) => {
        this.rejects.push({ input: String(input), at, error });
      },
      ...options,
    };
  }

  /** A one_time run from what is stored; closes the source. */
  async run(
    stored: Stored = NOTHING,
    options: { config?: Partial<SqliteSourceConfig>; ctx?: Partial<ReadContext>; name?: string; seed?: number } = {},
  ): Promise<{ batches: ChangeBatch[]; stored: Stored }> {
    const source = await this.source(options.config, options.name, options.seed);
    try {
      const until: SourcePoint = { partitions: await source.end(), snapshots: [] };
      const batches: ChangeBatch[] = [];
      for await (const batch of source.read(this.context(stored, until, options.ctx), new AbortController().signal)) batches.push(batch);
      return { batches, stored: batches.reduce(storedAfter, stored) };
    } finally {
      await source.close();
    }
  }

  close(): void {
    for (const db of this.#open) db.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What is stored once the batch is done. */
export function storedAfter(stored: Stored, batch: ChangeBatch): Stored {
  const changed = batch.snapshots ?? [];
  return {
    positions: batch.resume === null ? stored.positions : { ...stored.positions, [batch.partition]: batch.resume },
    snapshots: [...stored.snapshots.filter((s) => !changed.some((c) => c.table === s.table)), ...changed],
  };
}

export const eventsOf = (batches: readonly ChangeBatch[]): ChangeEvent[] => batches.flatMap((b) => b.events);
export const text = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => {
    if (typeof v === 'bigint') return `${v}n`;
    if (typeof v === 'number' && !Number.isFinite(v)) return String(v);
    return v;
  });

/** Tables of rows by key, as a destination that applies events has them. */
export class Replica {
  readonly tables = new Map<string, Map<string, Row>>();

  apply(events: readonly ChangeEvent[]): this {
    for (const event of events) this.#apply(event);
    return this;
  }

  rows(table: string): string[] {
    return [...(this.tables.get(table)?.values() ?? [])].map(text).sort();
  }

  #apply(event: ChangeEvent): void {
    const name = event.table.id.table,
      table = this.tables.get(name) ?? new Map<string, Row>();
    this.tables.set(name, table);
    if (event.op === 't') table.clear();
    if (event.key === null) return;
    if (event.op === 'd') {
      table.delete(text(event.key));
      return;
    }
    if (event.oldKey !== null) table.delete(text(event.oldKey));
    table.set(text(event.key), event.after as Row);
  }
}

/** The rows of a table as the events of a source should give them. */
export function rowsOf(db: Db, table: string): string[] {
  const rows = db.prepare(`SELECT * FROM "${table}"`).safeIntegers().all() as Row[];
  return rows.map((row) => text(Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v as Value])))).sort();
}
