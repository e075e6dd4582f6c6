// The default state store: one SQLite file for all pipelines. Each write is one transaction that first looks whether its
// owner still holds the lease, so a process that lost it changes nothing any more (invariant 2).

import { statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import { type CdcError, formatPoint, parsePoint, type RunSummary } from '../sdk/index.ts';
import {
  asInterrupted,
  changedHead,
  checkpointOf,
  formatCheckpoint,
  formatHead,
  formatLane,
  formatRun,
  isCheckpointDue,
  NEW_PIPELINE,
  newRun,
  type PipelineHead,
  parseCheckpoint,
  parseHead,
  parseLane,
  parseRun,
  shortMessage,
} from './codec.ts';
import { classifyStateError, corrupt, fenced, unavailable } from './errors.ts';
import { openStateFile } from './sqlite-file.ts';
import { type LaneRow, type PipelineRow, prepareStatements, type Statements } from './sqlite-statements.ts';
import {
  type Checkpoint,
  type DeliveredIds,
  type ErrorRecord,
  KEPT_RUNS,
  type LaneState,
  type Lease,
  type PipelineState,
  type StateChange,
  type StatefulPoint,
  type StateStore,
} from './store.ts';

/**
 * Opens the state file, creating it with its folder (mode 0600) if it is not there. Throws `DEPENDENCY_MISSING`,
 * `STATE_CORRUPT`, `STATE_VERSION` or `STATE_UNAVAILABLE`; never resets anything.
 */
export async function openSqliteStateStore(path: string): Promise<StateStore> {
  const db = await openStateFile(path);
  try {
    return new SqliteStateStore(db, path);
  } catch (error) {
    db.close();
    throw classifyStateError(path, error);
  }
}

export class SqliteStateStore implements StateStore {
  readonly #db: Database;
  readonly #path: string;
  readonly #inode: number;
  readonly #sql: Statements;

  constructor(db: Database, path: string) {
    this.#db = db;
    this.#path = path;
    this.#inode = statSync(path).ino;
    this.#sql = prepareStatements(db);
  }

  async acquire(pipeline: string, owner: string, nowMs: number, untilMs: number): Promise<Lease> {
    return this.#transaction(() => {
      const row = this.#sql.pipeline.get(pipeline);
      if (row?.owner != null && row.owner !== owner && row.until_ms > nowMs) return { owner: row.owner, untilMs: row.until_ms };
      if (row === undefined) {
        const head = formatHead(NEW_PIPELINE);
        this.#sql.addPipeline.run(pipeline, owner, untilMs, head, checksum(pipeline, head));
      } else {
        this.#sql.setLease.run(owner, untilMs, pipeline);
      }
      return { owner, untilMs };
    });
  }

  async release(pipeline: string, owner: string): Promise<void> {
    this.#transaction(() => {
      this.#sql.release.run(pipeline, owner);
    });
  }

  async load(pipeline: string): Promise<PipelineState> {
    // One read transaction: head and lanes of the same moment.
    return this.#guard(() =>
      this.#db.transaction((): PipelineState => {
        const row = this.#sql.pipeline.get(pipeline);
        const lanes = this.#sql.lanes.all(pipeline).map((lane): [string, LaneState] => [lane.name, this.#readLane(pipeline, lane)]);
        return {
          ...(row === undefined ? NEW_PIPELINE : this.#readHead(pipeline, row)),
          lanes: Object.fromEntries(lanes),
          transformer: this.#readTransformer(pipeline),
        };
      })(),
    );
  }

  async save(pipeline: string, owner: string, untilMs: number, change: StateChange): Promise<void> {
    this.#asOwner(pipeline, owner, (row) => {
      const { used, epoch, lanes, transformer, lastScheduledMs, intent, checkpoint, delivered } = change;
      if (used !== undefined || epoch !== undefined || lastScheduledMs !== undefined || intent !== undefined) {
        const head = formatHead(changedHead(this.#readHead(pipeline, row), change));
        this.#sql.setHead.run(head, checksum(pipeline, head), pipeline);
      }
      for (const [name, lane] of Object.entries(lanes ?? {})) this.#writeLane(pipeline, name, lane);
      if (transformer !== undefined) this.#writeTransformer(pipeline, transformer);
      for (const ids of delivered ?? []) this.#writeDelivered(pipeline, ids);
      if (checkpoint !== undefined) this.#addCheckpoint(pipeline, checkpoint);
      this.#sql.extendLease.run(untilMs, pipeline);
    });
  }

  async checkpoints(pipeline: string): Promise<readonly Checkpoint[]> {
    return this.#guard(() =>
      this.#sql.checkpoints.all(pipeline, Number.MAX_SAFE_INTEGER).map((row) => {
        const what = `checkpoint ${row.id} of`;
        this.#verify(row.crc, [pipeline, String(row.id), row.lanes], what, pipeline);
        return { id: row.id, atMs: row.at_ms, lanes: this.#read(() => parseCheckpoint(row.lanes), what, pipeline) };
      }),
    );
  }

  async delivered(pipeline: string): Promise<readonly DeliveredIds[]> {
    return this.#guard(() =>
      this.#sql.delivered.all(pipeline).map(({ bucket, last_ms: lastMs, ids, crc }) => {
        this.#verify(crc, [pipeline, String(bucket), ids], `the delivered ids ${bucket} of`, pipeline);
        return { bucket, lastMs, ids: new Uint8Array(ids) };
      }),
    );
  }

  async forget(pipeline: string, owner: string): Promise<void> {
    this.#asOwner(pipeline, owner, () => {
      for (const statement of this.#sql.forget) statement.run(pipeline);
    });
  }

  async beginRun(pipeline: string, owner: string, startedAtMs: number): Promise<number> {
    return this.#asOwner(pipeline, owner, () => {
      for (const { summary } of this.#sql.runs.all(pipeline, KEPT_RUNS)) {
        const run = this.#read(() => parseRun(summary), 'a run of', pipeline);
        if (run.outcome === 'running') this.#sql.putRun.run(pipeline, run.runId, formatRun(asInterrupted(run)));
      }
      const id = (this.#sql.lastRun.get(pipeline)?.id ?? 0) + 1;
      this.#sql.putRun.run(pipeline, id, formatRun(newRun(pipeline, id, startedAtMs)));
      this.#sql.pruneRuns.run(pipeline, id - KEPT_RUNS);
      return id;
    });
  }

  async endRun(pipeline: string, owner: string, run: RunSummary): Promise<void> {
    this.#asOwner(pipeline, owner, () => {
      this.#sql.putRun.run(pipeline, run.runId, formatRun(run));
    });
  }

  async runs(pipeline: string, limit: number): Promise<readonly RunSummary[]> {
    return this.#guard(() =>
      this.#sql.runs.all(pipeline, limit).map(({ summary }) => this.#read(() => parseRun(summary), 'a run of', pipeline)),
    );
  }

  async recordError(pipeline: string, owner: string, component: string, error: CdcError, nowMs: number): Promise<void> {
    this.#asOwner(pipeline, owner, () => {
      this.#sql.countError.run(pipeline, component, error.code, shortMessage(error), nowMs, nowMs);
    });
  }

  async errors(pipeline: string): Promise<readonly ErrorRecord[]> {
    return this.#guard(() =>
      this.#sql.errors.all(pipeline).map((row) => ({
        component: row.component,
        code: row.code,
        message: row.message,
        count: row.count,
        firstMs: row.first_ms,
        lastMs: row.last_ms,
      })),
    );
  }

  async getPluginValue(pipeline: string, plugin: string, key: string): Promise<Uint8Array | null> {
    return this.#guard(() => {
      const row = this.#sql.pluginValue.get(pipeline, plugin, key);
      if (row === undefined) return null;
      this.#verify(row.crc, [pipeline, plugin, key, row.value], `the stored value "${key}" of plugin "${plugin}" of`, pipeline);
      return new Uint8Array(row.value);
    });
  }

  async setPluginValue(pipeline: string, owner: string, plugin: string, key: string, value: Uint8Array): Promise<void> {
    this.#asOwner(pipeline, owner, () => {
      this.#sql.putPluginValue.run(pipeline, plugin, key, value, checksum(pipeline, plugin, key, value));
    });
  }

  async pipelines(): Promise<readonly string[]> {
    return this.#guard(() => this.#sql.pipelines.all().map(({ name }) => name));
  }

  async close(): Promise<void> {
    this.#guard(() => {
      this.#db.close();
    });
  }

  #readHead(pipeline: string, row: PipelineRow): PipelineHead {
    this.#verify(row.crc, [pipeline, row.head], 'the head of', pipeline);
    return this.#read(() => parseHead(row.head), 'the head of', pipeline);
  }

  #readLane(pipeline: string, row: LaneRow): LaneState {
    const what = `the point of lane "${row.name}" of`;
    this.#verify(row.crc, [pipeline, row.name, row.state], what, pipeline);
    return this.#read(() => parseLane(row.state), what, pipeline);
  }

  #writeLane(pipeline: string, name: string, lane: LaneState | null): void {
    if (lane === null) {
      this.#sql.deleteLane.run(pipeline, name);
      return;
    }
    const state = formatLane(lane);
    this.#sql.putLane.run(pipeline, name, state, checksum(pipeline, name, state));
  }

  #addCheckpoint(pipeline: string, wanted: NonNullable<StateChange['checkpoint']>): void {
    const states = this.#sql.lanes.all(pipeline).map((lane) => [lane.name, this.#readLane(pipeline, lane)] as const);
    const lanes = checkpointOf(states);
    const [last] = this.#sql.checkpoints.all(pipeline, 1);
    if (!isCheckpointDue(lanes, last === undefined ? null : { atMs: last.at_ms, lanes: last.lanes }, wanted)) return;
    const id = (last?.id ?? 0) + 1,
      text = formatCheckpoint(lanes);
    this.#sql.addCheckpoint.run(pipeline, id, wanted.atMs, text, checksum(pipeline, String(id), text));
    this.#sql.pruneCheckpoints.run(pipeline, id - wanted.keep);
  }

  #writeDelivered(pipeline: string, change: NonNullable<StateChange['delivered']>[number]): void {
    const { bucket, ids } = change;
    if (ids === null) this.#sql.dropDelivered.run(pipeline, bucket);
    else this.#sql.putDelivered.run(pipeline, bucket, change.lastMs, ids, checksum(pipeline, String(bucket), ids));
  }

  #readTransformer(pipeline: string): StatefulPoint | null {
    const row = this.#sql.transformer.get(pipeline);
    if (row === undefined) return null;
    this.#verify(row.crc, [pipeline, row.point, row.state], 'the transformer state of', pipeline);
    return { point: this.#read(() => parsePoint(row.point), 'the transformer point of', pipeline), state: new Uint8Array(row.state) };
  }

  #writeTransformer(pipeline: string, { point, state }: StatefulPoint): void {
    const text = formatPoint(point);
    this.#sql.putTransformer.run(pipeline, text, state, checksum(pipeline, text, state));
  }

  #asOwner<T>(pipeline: string, owner: string, write: (row: PipelineRow) => T): T {
    return this.#transaction(() => {
      const row = this.#sql.pipeline.get(pipeline);
      // Invariant 2: looked at inside the write transaction, so nobody can take the lease between the look and the commit.
      if (row === undefined || row.owner !== owner) throw fenced(pipeline, owner, row?.owner ?? null);
      return write(row);
    });
  }

  #transaction<T>(work: () => T): T {
    return this.#guard(() => {
      this.#assertInPlace();
      return this.#db.transaction(work).immediate();
    });
  }

  /** A file that was removed or replaced while open still takes writes, and nobody would ever read them. */
  #assertInPlace(): void {
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw unavailable(this.#path, 'was removed or replaced while the program runs.', {
      fix: 'Put the file back, or stop the program and start it again.',
    });
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw classifyStateError(this.#path, error);
    }
  }

  #read<T>(parse: () => T, what: string, pipeline: string): T {
    try {
      return parse();
    } catch (error) {
      throw corrupt(this.#path, `${what} pipeline "${pipeline}" cannot be read.`, { cause: error });
    }
  }

  #verify(stored: number, parts: readonly (string | Uint8Array)[], what: string, pipeline: string): void {
    if (checksum(...parts) !== stored) throw corrupt(this.#path, `${what} pipeline "${pipeline}" does not match its checksum.`);
  }
}

/** Over the place a value belongs to and the value, parts separated so that they cannot run into each other. */
function checksum(...parts: readonly (string | Uint8Array)[]): number {
  // zlib starts again at 0 when it is given no bytes.
  return parts.reduce<number>((crc, part) => crc32('\0', part.length === 0 ? crc : crc32(part, crc)), 0);
}
