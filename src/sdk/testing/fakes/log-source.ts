// A source that reads the fake log: partitions that come and go, transactions cut into batches, snapshots in chunks beside
// the stream. The shortest complete example of `ordering: 'log'`.

import {
  CdcError,
  type ChangeBatch,
  ChangeEvent,
  type Finding,
  formatTableId,
  type Lag,
  type PartitionPositions,
  type Position,
  type Random,
  type ReadContext,
  type Row,
  type Source,
  type SourceDescription,
  sortablePositions,
  type TableId,
  type TableSchema,
} from '../../index.ts';
import type { FakeLog, LogPartition, LogRecord } from './log.ts';
import { keyOfRow } from './rows.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { atOnce, type Step } from './step.ts';

export interface FakeLogSourceOptions {
  readonly name?: string;
  readonly step?: Step;
  /** Decides what comes next where several things may. */
  readonly random?: Random;
  /** Read the rows that are there first. */
  readonly snapshot?: boolean;
  /** Whole rows before a change; else the key at most. */
  readonly beforeImages?: boolean;
  /** Where it resumes before what upstream holds, a slot starts silently at its own place; other systems refuse. */
  readonly silentStart?: boolean;
}

const BYTES_PER_EVENT = 100;

export class FakeLogSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = sortablePositions('place');
  readonly #log: FakeLog;
  readonly #name: string;
  readonly #step: Step;
  readonly #random: Random;
  readonly #snapshot: boolean;
  readonly #beforeImages: boolean;
  readonly #silentStart: boolean;
  #cursors = new Map<string, Position | null>();
  #closed = false;

  constructor(log: FakeLog, options: FakeLogSourceOptions = {}) {
    this.#log = log;
    this.#name = options.name ?? 'source';
    this.#step = options.step ?? atOnce;
    this.#random = options.random ?? ((): number => 0);
    this.#snapshot = options.snapshot ?? false;
    this.#beforeImages = options.beforeImages ?? true;
    this.#silentStart = options.silentStart ?? false;
  }

  describe(): SourceDescription {
    return { connector: 'fake', database: null };
  }

  async *check(): AsyncIterable<Finding> {
    if (this.#log.down)
      yield { level: 'error', check: 'reachable', message: 'the log does not answer', fix: 'Start it.', code: 'SOURCE_UNREACHABLE' };
    else yield { level: 'ok', check: 'reachable', message: 'the log answers' };
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    await this.#step('open the log');
    this.#assertUp();
    this.#log.open(this);
    this.#cursors = new Map();
    const snapshot = new SnapshotReader(this.#log, this.#name, ctx, this.#snapshot);
    for (;;) {
      if (signal.aborted) return;
      this.#assertMine();
      await this.#follow(ctx, snapshot, signal);
      if (signal.aborted) return;
      const batch = this.#next(ctx, snapshot);
      if (batch === 'rejected') {
        await this.#reject(ctx);
        continue;
      }
      if (batch !== null) {
        await this.#step(`read ${batch.partition}`);
        if (signal.aborted) return;
        this.#assertMine();
        if (batch.resume !== null) this.#cursors.set(batch.partition, batch.resume);
        yield batch;
        continue;
      }
      if (ctx.until !== null && this.#hasReached(ctx.until.partitions)) return;
      await this.#log.changed(signal);
    }
  }

  async end(): Promise<PartitionPositions> {
    await this.#step('ask for the end');
    this.#assertUp();
    return this.#log.head();
  }

  async acknowledge(upTo: PartitionPositions): Promise<void> {
    await this.#step('acknowledge');
    this.#assertUp();
    this.#assertMine();
    this.#log.acknowledge(upTo);
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    await this.#step('ask what is acknowledged');
    this.#assertUp();
    return this.#log.used ? this.#log.acknowledged() : null;
  }

  async lag(): Promise<Lag> {
    return { events: null, bytes: null };
  }

  async schema(table: TableId): Promise<TableSchema> {
    const schema = this.#log.tables.get(formatTableId(table));
    if (schema === undefined)
      throw new CdcError('SOURCE_MISCONFIGURED', `there is no table "${formatTableId(table)}"`, { fix: 'Correct `tables`.' });
    return schema;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#log.session === this) this.#log.cut();
  }

  #assertUp(): void {
    if (this.#log.down) throw new CdcError('SOURCE_UNREACHABLE', 'the log does not answer', { retriable: true, fix: 'Start it.' });
  }
  #assertMine(): void {
    this.#assertUp();
    if (this.#closed || this.#log.session === this) return;
    throw new CdcError('SOURCE_FAILED', 'the connection was cut', { retriable: true, fix: 'Wait: it is opened again.' });
  }

  /** Takes partitions that came, gives back those that were asked for, ends those that are read to their end. */
  async #follow(ctx: ReadContext, snapshot: SnapshotReader, signal: AbortSignal): Promise<void> {
    for (const partition of this.#log.partitions.values()) {
      const { name } = partition,
        has = this.#cursors.has(name);
      if (has && partition.assignment === 'asked') {
        await ctx.revoke(name);
        if (signal.aborted) return; // then `revoke` came back because of that, and nothing is sure
        this.#cursors.delete(name);
        partition.assignment = 'away';
      } else if (!has && partition.assignment === 'asked') {
        partition.assignment = 'away'; // it was asked of a session that has died
      } else if (!has && partition.assignment === 'held') {
        const from = await ctx.assign(name);
        this.#cursors.set(name, (from === null ? snapshot.startOf(name) : null) ?? this.#start(name, from));
      } else if (has && partition.closed && this.#cursors.get(name) === partition.transactions.at(-1)?.end) {
        // Upstream drops a finished partition at once, so all of it must be delivered before.
        await ctx.revoke(name);
        if (signal.aborted) return;
        await ctx.end(name);
        this.#assertMine();
        this.#cursors.delete(name);
        this.#log.partitions.delete(name);
      }
    }
  }

  #start(partition: string, from: Position | null): Position | null {
    this.#log.assertHeld(partition, from);
    const acknowledged = this.#log.acknowledged()[partition];
    return this.#silentStart && acknowledged !== undefined && (from === null || from < acknowledged) ? acknowledged : from;
  }

  #next(ctx: ReadContext, snapshot: SnapshotReader): ChangeBatch | 'rejected' | null {
    const ready = [...this.#cursors.keys()]
      .map((name) => this.#log.partitions.get(name) as LogPartition)
      .filter((p) => this.#after(p).length > 0 || this.#isBehind(p));
    // A chunk is as new as the end of the log, so it may come only once the stream has passed that: else it could be older
    // than what a lane that is further has already.
    if (snapshot.comesFirst || (snapshot.isRunning && ready.length === 0)) return snapshot.next(this.#cursors);
    const partition = ready[Math.floor(this.#random() * ready.length)];
    if (partition === undefined) return null;
    const records = this.#after(partition),
      garbageAt = records.findIndex((r) => r.input !== null);
    if (garbageAt === 0) return 'rejected';
    const room = Math.max(1, Math.min(ctx.maxBatchEvents, Math.floor(ctx.maxBatchBytes / BYTES_PER_EVENT)));
    const taken = records.slice(0, Math.min(room, garbageAt < 0 ? records.length : garbageAt));
    return {
      events: taken.map((r) => this.#event(partition.name, r)),
      source: this.#name,
      partition: partition.name,
      resume: taken.length < records.length ? (taken.at(-1)?.position ?? null) : (partition.transactions.at(-1)?.end ?? null),
      bytes: taken.length * BYTES_PER_EVENT,
    };
  }

  async #reject(ctx: ReadContext): Promise<void> {
    for (const [name, cursor] of this.#cursors) {
      const record = this.#after(this.#log.partitions.get(name) as LogPartition)[0];
      if (record === undefined || record.input === null) continue;
      await ctx.reject(
        record.input,
        `place ${record.position}`,
        new CdcError('SOURCE_DATA_INVALID', `"${record.input}" cannot be decoded`, { fix: 'Correct it.' }),
      );
      if (this.#cursors.get(name) === cursor) this.#cursors.set(name, record.position);
    }
  }

  #after(partition: LogPartition): LogRecord[] {
    const cursor = this.#cursors.get(partition.name) ?? '';
    return partition.transactions.filter((tx) => tx.end > cursor).flatMap((tx) => tx.records.filter((r) => r.position > cursor));
  }
  /** Has the log moved on without an event? */
  #isBehind(partition: LogPartition): boolean {
    const end = partition.transactions.at(-1)?.end;
    return end !== undefined && end > (this.#cursors.get(partition.name) ?? '');
  }
  #hasReached(until: PartitionPositions): boolean {
    return Object.entries(until).every(([name, position]) => !this.#cursors.has(name) || (this.#cursors.get(name) ?? '') >= position);
  }

  #event(partition: string, r: LogRecord): ChangeEvent {
    return new ChangeEvent({
      op: r.op,
      table: r.table,
      source: this.#name,
      partition,
      position: r.position,
      sourceTsMs: r.commitTsMs,
      before: r.before && this.#before(r, r.before),
      after: r.after && (r.incomplete ? withoutNote(r.after) : { ...r.after }),
      incomplete: r.incomplete,
      transaction: {
        id: `${partition}:${r.tx}`,
        order: r.order,
        collectionOrder: r.collectionOrder,
        commitTsMs: r.commitTsMs,
        last: r.last,
      },
      schemaChange: r.op === 's' ? { kind: 'alter', previous: null, ddl: null } : null,
    });
  }
  /** Without before images the old key is still sent where a change of key needs it. */
  #before(r: LogRecord, before: Row): Row | null {
    if (this.#beforeImages) return r.incomplete ? withoutNote(before) : { ...before };
    const key = keyOfRow(r.table, before);
    return r.after === null || r.after['id'] !== before['id'] ? key : null;
  }
}

function withoutNote(row: Row): Row {
  const { note: _absent, ...rest } = row;
  return rest;
}
