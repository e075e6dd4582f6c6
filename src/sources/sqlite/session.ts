// One reading of the change log: where it stands, which snapshots run, and what comes next. Each step happens inside one
// read transaction of the caller and returns what is to be sent; nothing here waits.

import {
  type ChangeBatch,
  ChangeEvent,
  type Clock,
  type Position,
  type Random,
  type ReadContext,
  type SnapshotProgress,
  type SourcePoint,
  type TableSchema,
} from '../../sdk/index.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import { capturedTables, matchesTable } from './capture.ts';
import { ChangeReader, type ControlRecord, type ReadTable, type Reject } from './changes.ts';
import type { SqliteSourceConfig } from './config.ts';
import { planRows } from './decode.ts';
import { historyLost } from './errors.ts';
import { type ChangePlace, formatPlace, LOG_PARTITION, parsePlace } from './position.ts';
import { isSound, runName, runStart, SnapshotReader } from './snapshot.ts';

/** What to send: first the rejects are parked, then the batch is handed over. */
export interface Output {
  readonly batch: ChangeBatch;
  readonly rejects: readonly Reject[];
}

export interface SessionOptions {
  readonly name: string;
  /** The name under which the source is registered in the database. */
  readonly consumer: string;
  readonly config: SqliteSourceConfig;
  readonly ctx: ReadContext;
  readonly from: ChangePlace;
  /** The newest change when reading began: what was noticed only then belongs to a one_time run, too. */
  readonly newest: ChangePlace;
  /** No place was stored: the first batch says where the log begins. */
  readonly isNew: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

const CONTROL_BYTES = 200;

export class LogSession {
  readonly #o: SessionOptions;
  readonly #progress = new Map<string, SnapshotProgress>();
  #tables: ReadonlyMap<number, ReadTable> = new Map();
  /** The shape of each table that holds now. */
  #current: readonly ReadTable[] = [];
  #changes: ChangeReader | null = null;
  #snapshots: SnapshotReader | null = null;
  #schemaVersion = -1;
  #place: ChangePlace;
  #starting: boolean;

  constructor(options: SessionOptions) {
    this.#o = options;
    this.#place = options.from;
    this.#starting = options.isNew;
    for (const progress of options.ctx.snapshots) if (isSound(progress, options.from)) this.#progress.set(progress.table, progress);
  }

  get place(): ChangePlace {
    return this.#place;
  }
  get tables(): readonly ReadTable[] {
    return this.#current;
  }

  /** Takes over the tables as they are captured now. In the transaction that has looked after the triggers. */
  load(db: SqliteDatabase): void {
    const { config, name, clock, consumer } = this.#o;
    const wanted = capturedTables(db).filter((t) => matchesTable(config.tables, t.name));
    const read = wanted.map((captured) => ({ captured, plan: planRows(captured.table, captured.version, config.columns, config.types) }));
    this.#tables = new Map(read.map((t) => [t.captured.no, t]));
    this.#current = read.filter((t) => t.captured.active).sort((a, b) => (a.captured.name < b.captured.name ? -1 : 1));
    this.#changes = new ChangeReader(db, this.#tables, name, consumer);
    this.#snapshots = new SnapshotReader(db, name, clock);
    this.#schemaVersion = schemaVersionOf(db);
  }

  /** What comes next; nothing when the end of the log is reached. `null`: a schema has changed, so look after the triggers first. */
  step(db: SqliteDatabase): Output[] | null {
    // In the same transaction as the rows: no change made after a change of schema is read before the triggers are renewed.
    if (schemaVersionOf(db) !== this.#schemaVersion || this.#changes === null) return null;
    if (this.#starting) return [this.#begin()];
    const before = this.#place;
    try {
      return this.#next(this.#changes);
    } catch (error) {
      // The step is repeated, or the reading ends: nothing of it was handed over.
      this.#place = before;
      throw error;
    }
  }

  #next(changes: ChangeReader): Output[] {
    const { maxBatchEvents, maxBatchBytes } = this.#o.ctx,
      outputs: Output[] = [];
    const read = changes.read(this.#place, maxBatchEvents, maxBatchBytes);
    if (read.through.id !== this.#place.id) {
      this.#place = read.through;
      outputs.push({ rejects: read.rejects, batch: this.#batch(read.events, read.bytes) });
    }
    if (read.control !== null) outputs.push(this.#control(read.control));
    else if (read.atEnd) outputs.push(...this.#nextChunk());
    return outputs;
  }

  /** A one_time run is done: everything that existed at its start is sent, and every snapshot is complete and consistent. */
  isDone(until: SourcePoint | null): boolean {
    if (this.#starting || this.#pending() !== null) return false;
    if (this.#o.config.snapshot_mode === 'initial_only') return true;
    if (until === null) return false;
    const end = parsePlace(until.partitions[LOG_PARTITION] ?? '');
    return this.#place.id >= Math.max(end?.id ?? 0, this.#o.newest.id);
  }

  // -- changes -----------------------------------------------------------------------------------------------------------

  #batch(events: ChangeEvent[], bytes: number, snapshots?: readonly SnapshotProgress[]): ChangeBatch {
    return {
      events,
      bytes,
      source: this.#o.name,
      partition: LOG_PARTITION,
      resume: formatPlace(this.#place),
      ...(snapshots === undefined ? {} : { snapshots }),
    };
  }

  /** The start of the log is stored before anything is sent, and with it which tables are to be read. */
  #begin(): Output {
    this.#starting = false;
    if (!this.#readsRows()) return { rejects: [], batch: this.#batch([], 0) };
    const progress = this.#current.map(
      ({ captured: { name } }) => this.#progress.get(name) ?? { ...this.#restart(name), joining: true as const },
    );
    return { rejects: [], batch: this.#batch([], 0, progress) };
  }

  #control({ op, table, place }: ControlRecord): Output {
    const {
        captured,
        plan: { schema },
      } = table,
      name = captured.name;
    this.#place = place;
    const init = { table: schema, source: this.#o.name, partition: LOG_PARTITION, position: formatPlace(place), sourceTsMs: place.ts };
    if (op === 'g' && this.#o.config.snapshot_mode !== 'when_needed') throw historyLost(name, `source "${this.#o.name}"`);
    if (op === 'e' || op === 'g' || op === 'j') {
      return this.#readsRows() ? this.#again(table, init.position) : { rejects: [], batch: this.#batch([], 0) };
    }
    const kind = op === 'x' ? 'drop' : captured.previous === null ? 'create' : 'alter';
    const previous = op === 'x' ? schema : this.#schemaOf(captured.previous);
    const event = new ChangeEvent({ ...init, op: 's', schemaChange: { kind, previous, ddl: null } });
    const mustRead =
      op === 's' && this.#readsRows() && (captured.reread || captured.previous === null) && !this.#hasBegunBehind(name, place);
    // One event for one record: a batch that brings progress must not be cut in two by a lane.
    return { rejects: [], batch: this.#batch([event], CONTROL_BYTES, mustRead ? [this.#restart(name)] : undefined) };
  }

  #schemaOf(no: number | null): TableSchema | null {
    return no === null ? null : (this.#tables.get(no)?.plan.schema ?? null);
  }

  // -- snapshots ---------------------------------------------------------------------------------------------------------

  #readsRows(): boolean {
    return this.#o.config.snapshot_mode !== 'never';
  }

  /** The rows have been asked for after this record: they will have what it announces. */
  #hasBegunBehind(table: string, place: ChangePlace): boolean {
    const progress = this.#progress.get(table);
    return progress !== undefined && runStart(progress.run) >= place.id;
  }

  /** A new run, or the one that a faster lane has begun at this very place: from then on, both have had all changes. */
  #restart(table: string): SnapshotProgress {
    const suffix = Math.floor(this.#o.random() * 0x100000000).toString(16);
    const keyless = this.#current.find((t) => t.captured.name === table)?.captured.table.key.length === 0;
    const known = this.#o.ctx.boundaries.find((b) => b.table === table && runStart(b.run) === this.#place.id && !this.#hasMoved(b));
    const run = known?.run ?? runName(this.#place, keyless ? `${suffix}.v${this.#schemaVersion}` : suffix);
    const progress: SnapshotProgress = { source: this.#o.name, run, table, chunk: 0, lastKey: null, state: 'running', rows: 0 };
    this.#progress.set(table, progress);
    return progress;
  }

  /** The next table of which rows are missing. */
  #pending(): ReadTable | null {
    if (!this.#readsRows()) return null;
    return this.#current.find(({ captured: { name } }) => (this.#progress.get(name)?.state ?? 'running') === 'running') ?? null;
  }

  #nextChunk(): Output[] {
    const table = this.#pending();
    if (table === null || this.#snapshots === null) return [];
    const { name } = table.captured,
      { ctx } = this.#o;
    const progress = this.#progress.get(name);
    if (progress === undefined) return [{ rejects: [], batch: this.#batch([], 0, [{ ...this.#restart(name), joining: true }]) }];
    if (this.#hasMoved(progress)) return [this.#again(table, `${formatPlace(this.#place)}.t.${progress.run}`)];
    const boundary = ctx.boundaries.find((b) => b.table === name && b.run === progress.run && b.chunk > progress.chunk) ?? null;
    const others = this.#current.filter((t) => t !== table).map((t) => this.#progress.get(t.captured.name));
    const chunk = this.#snapshots.read({
      table,
      progress,
      boundary,
      at: this.#place,
      maxEvents: ctx.maxBatchEvents,
      maxBytes: ctx.maxBatchBytes,
      isFirstTable: others.every((p) => (p?.chunk ?? 0) === 0),
      isLastTable: others.every((p) => p !== undefined && p.state !== 'running'),
    });
    this.#progress.set(name, chunk.progress);
    return [{ rejects: chunk.rejects, batch: this.#batch(chunk.events, chunk.bytes, [chunk.progress]) }];
  }

  /** A table without a key is read by rowid, which VACUUM gives anew; it changes the schema version, so the run notes that. */
  #hasMoved({ run, chunk }: SnapshotProgress): boolean {
    const version = /\.v(\d+)$/.exec(run)?.[1];
    return chunk > 0 && version !== undefined && Number(version) !== this.#schemaVersion;
  }

  /** From the beginning: rows that have gone meanwhile must not stay at the destinations. */
  #again({ captured, plan }: ReadTable, position: string): Output {
    const truncate = new ChangeEvent({
      op: 't',
      table: plan.schema,
      source: this.#o.name,
      partition: LOG_PARTITION,
      sourceTsMs: this.#o.clock.now(),
      position: position as Position,
    });
    return { rejects: [], batch: this.#batch([truncate], CONTROL_BYTES, [this.#restart(captured.name)]) };
  }
}

function schemaVersionOf(db: SqliteDatabase): number {
  return Number(db.pragma('schema_version', { simple: true }));
}
