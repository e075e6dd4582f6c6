// The file destination: appends a batch to all files it touches, makes them durable, then writes the sidecar. That is
// the commit: a crash before it leaves bytes that nobody counts and the next start cuts off.

import { join, resolve } from 'node:path';
import type * as csvFormat from '../../formats/csv.ts';
import {
  CdcError,
  type Committed,
  type ComponentContext,
  type Finding,
  formatPoint,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type WriteResult,
} from '../../sdk/index.ts';
import { checkFolder } from './check.ts';
import type { FileDestinationConfig } from './config.ts';
import { csvHeader, encodeCsv, encodeNdjson, type Segment } from './encode.ts';
import { fenced, positionLost, toFileError, UncertainError } from './errors.ts';
import type { Files, Stamp } from './files.ts';
import { baseFolder, PathTemplate } from './path-template.ts';
import { type Append, assertUntouched, type Plan, type PlanContext, planWrite } from './plan.ts';
import { folderOf, recover } from './recover.ts';
import { type Sidecar, SidecarStore } from './sidecar.ts';

type Csv = typeof csvFormat;

const NO_BYTES = Buffer.alloc(0);

/** The lane that this process has claimed. */
interface Claim {
  readonly store: SidecarStore;
  readonly epoch: number;
  /** As it was last stored. */
  sidecar: Sidecar;
  /** Of the sidecar file at that time. `null`: it must be read again, and the files recovered, before anything is written. */
  stamp: Stamp | null;
}

export class FileDestination implements PointHoldingDestination {
  readonly #config: FileDestinationConfig;
  readonly #ctx: ComponentContext;
  readonly #files: Files;
  readonly #csv: Csv | null;
  readonly #base: string;
  readonly #template: PathTemplate;
  readonly #where: string;
  /** CSV: the table that each file holds. */
  readonly #tables = new Map<string, string>();
  #claim: Claim | null = null;
  /** Workers share files and sidecar: one call at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `csv`: the library, where the format is CSV. */
  constructor(config: FileDestinationConfig, ctx: ComponentContext, files: Files, csv: Csv | null) {
    this.#config = config;
    this.#ctx = ctx;
    this.#files = files;
    this.#csv = csv;
    this.#base = resolve(baseFolder(config.path));
    this.#template = new PathTemplate(config.path);
    this.#where = `destination "${ctx.name}"`;
  }

  check(): AsyncIterable<Finding> {
    return checkFolder(this.#base, this.#where);
  }

  committed(lane: LaneId): Promise<Committed> {
    return this.#inTurn(async () => {
      // What is said to be stored here must be there after a power failure too.
      if (this.#claim?.store.isUnsure === true) await this.#owned(this.#claim);
      const { epoch, sidecar } = await this.#storeOf(lane).newest();
      const points = (sidecar?.points ?? []).filter((point) => point !== null);
      return points.length === 0 ? { kind: 'empty', epoch } : { kind: 'points', epoch, points };
    });
  }

  claim(lane: LaneId, epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      const store = this.#storeOf(lane);
      const highest = (await store.epochs()).at(-1) ?? 0;
      if (highest > epoch) throw this.#fencedBy(highest, epoch);
      // The marker first, then the seal, then reading: see sidecar.ts.
      if (highest < epoch) await store.mark(epoch);
      await store.seal(epoch);
      const { sidecar } = await store.newest();
      const claimed = { epoch, points: sidecar?.points ?? [], files: sidecar?.files ?? {}, renames: [] };
      if (sidecar !== null) await this.#recover(sidecar);
      await store.save(claimed);
      const claim = { store, epoch, sidecar: claimed, stamp: await this.#files.stamp(store.pathOf(epoch)) };
      await this.#assertNewest(claim);
      await store.clean(epoch);
      this.#claim = claim;
    });
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    return this.#inTurn(async () => {
      const highest = (await this.#storeOf(lane).epochs()).at(-1) ?? 0;
      if (highest > epoch) throw this.#fencedBy(highest, epoch);
      const claim = this.#claimed();
      const sidecar = await this.#owned(claim);
      await this.#commit(claim, { ...sidecar, points, renames: [] });
    });
  }

  write(batch: LaneBatch): Promise<WriteResult> {
    return this.#inTurn(async () => {
      const claim = this.#claimed();
      const sidecar = await this.#owned(claim);
      this.#assertPrevious(sidecar, batch);
      const segments = this.#encode(batch, sidecar);
      const points = [...sidecar.points];
      while (points.length <= batch.worker) points.push(null);
      points[batch.worker] = batch.through;
      try {
        const ctx = this.#planContext();
        const plan = await planWrite(ctx, sidecar, segments);
        await this.#begin(claim, plan);
        await assertUntouched(ctx, plan.appends);
        await this.#append(plan.appends);
        await this.#commit(claim, { epoch: claim.epoch, points, files: plan.files, renames: [] });
      } catch (error) {
        await this.#undo(claim, error);
        throw error;
      }
      await this.#removeOldest(claim);
      return { kind: 'stored' };
    });
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    await this.#files.close();
  }

  #encode(batch: LaneBatch, sidecar: Sidecar): Segment[] {
    if (this.#csv === null) return encodeNdjson(batch, this.#template);
    return encodeCsv(batch, {
      format: this.#csv.formatRecords,
      template: this.#template,
      output: this.#csvOutput(),
      where: this.#where,
      tables: this.#tables,
      columnsOf: (path) => sidecar.files[path]?.columns ?? null,
    });
  }

  #csvOutput() {
    const { delimiter, null_value: nullValue, absent_value: absentValue } = this.#config.csv;
    return { delimiter, nullValue, absentValue };
  }

  #planContext(): PlanContext {
    return {
      files: this.#files,
      base: this.#base,
      rotate: this.#config.rotate,
      nowMs: this.#ctx.clock.now(),
      where: this.#where,
      header: (columns) =>
        columns === null || this.#csv === null || !this.#config.csv.header
          ? NO_BYTES
          : csvHeader(this.#csv.formatRecords, columns, this.#csvOutput()),
    };
  }

  /** Stores the intent, and does the renames that it holds. Without new files there is nothing to store. */
  async #begin(claim: Claim, plan: Plan): Promise<void> {
    if (plan.intent === null) return;
    for (const folder of new Set(plan.appends.map(({ path }) => folderOf(join(this.#base, path))))) await this.#files.createFolder(folder);
    await this.#commit(claim, plan.intent);
    // Durable with the new file of that name, which begins in this batch (see #append).
    for (const { from, to } of plan.renames) await this.#files.rename(join(this.#base, from), join(this.#base, to));
  }

  async #append(appends: readonly Append[]): Promise<void> {
    const begun = new Set<string>();
    for (const { path, offset, parts } of appends) {
      const full = join(this.#base, path);
      await this.#files.writeDurably(full, offset, parts);
      if (offset === 0) begun.add(folderOf(full));
    }
    for (const folder of begun) await this.#files.syncFolder(folder);
  }

  /** Stores the sidecar, unless a newer epoch is there. */
  async #commit(claim: Claim, sidecar: Sidecar): Promise<void> {
    const { store, stamp: before } = claim;
    let isReplaced = false;
    claim.stamp = null; // not known until it is stored
    try {
      ({ isReplaced } = await store.save(sidecar));
    } catch (error) {
      await this.#assertNewest(claim); // a newer claim cleans up after us
      throw error;
    }
    claim.sidecar = sidecar;
    const stamp = await this.#files.stamp(store.pathOf(claim.epoch));
    // A claim that came in between has not seen this commit, or this look sees its seal or its marker.
    if (isReplaced || stamp?.file !== before?.file) await this.#assertNewest(claim);
    claim.stamp = stamp;
  }

  async #assertNewest(claim: Claim): Promise<void> {
    const highest = (await claim.store.epochs()).at(-1) ?? 0;
    if (highest > claim.epoch) throw this.#fencedBy(highest, claim.epoch);
  }

  #fencedBy(highest: number, own: number): CdcError {
    return fenced(`Epoch ${highest} has claimed the files; this run has epoch ${own}.`, this.#where);
  }

  /** The sidecar, if it still is ours as we left it. */
  async #owned(claim: Claim): Promise<Sidecar> {
    const path = claim.store.pathOf(claim.epoch);
    const stamp = await this.#files.stamp(path);
    if (stamp !== null && stamp.file === claim.stamp?.file && stamp.written === claim.stamp.written) return claim.sidecar;
    await this.#assertNewest(claim);
    claim.store.forget();
    const { sidecar } = await claim.store.load(claim.epoch);
    if (sidecar === null) throw positionLost(`The sidecar "${path}" was removed while the pipeline ran.`, this.#where);
    if (claim.stamp !== null && !samePoints(claim.sidecar, sidecar))
      throw fenced(`The sidecar "${path}" was changed by another process.`, this.#where);
    await this.#recover(sidecar);
    claim.sidecar = sidecar;
    claim.stamp = stamp;
    if (claim.store.isUnsure) await this.#commit(claim, sidecar);
    return sidecar;
  }

  async #recover(sidecar: Sidecar): Promise<void> {
    for (const { path, bytes } of await recover(this.#files, this.#base, sidecar, this.#where)) {
      this.#ctx.logger.info('bytes of a batch that was never confirmed were cut off', { path, bytes });
    }
  }

  #assertPrevious(sidecar: Sidecar, batch: LaneBatch): void {
    const stored = sidecar.points[batch.worker] ?? null;
    if (stored === null || formatPoint(stored) === formatPoint(batch.previous)) return;
    throw fenced('The files hold another point than the one this run last stored: another process has written.', this.#where);
  }

  /** Gives the space back at once; the next call reads the sidecar and makes sure. */
  async #undo(claim: Claim, error: unknown): Promise<void> {
    claim.stamp = null;
    // The new sidecar may be in place, or the files may be another's: then nothing may be cut.
    if (error instanceof UncertainError || (error instanceof CdcError && !error.retriable)) return;
    try {
      await this.#recover(claim.sidecar);
    } catch (cause) {
      this.#ctx.logger.debug('what was written could not be cut off yet', { error: String(cause) });
    }
  }

  /** Invariant 3: what is deleted here was delivered, and the configuration asks for it. */
  async #removeOldest(claim: Claim): Promise<void> {
    const limit = this.#config.rotate.max_files;
    const { sidecar } = claim;
    if (limit === 0) return;
    const files: Record<string, Sidecar['files'][string]> = { ...sidecar.files };
    for (const [path, entry] of Object.entries(files)) {
      const excess = entry.rotated.slice(0, Math.max(0, entry.rotated.length - limit));
      if (excess.length === 0) continue;
      for (const old of excess) await this.#files.remove(join(this.#base, old));
      files[path] = { ...entry, rotated: entry.rotated.slice(excess.length) }; // stored with the next commit; removing twice does no harm
    }
    claim.sidecar = { ...sidecar, files };
  }

  #claimed(): Claim {
    if (this.#claim === null)
      throw new CdcError('INTERNAL_UNEXPECTED', 'The lane was not claimed before it was written to.', { where: this.#where });
    return this.#claim;
  }

  #storeOf(lane: LaneId): SidecarStore {
    return new SidecarStore(this.#files, this.#base, lane, this.#where);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work).catch((error: unknown) => {
      throw toFileError(error, this.#where);
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function samePoints(a: Sidecar, b: Sidecar): boolean {
  const text = (sidecar: Sidecar): string => sidecar.points.map((point) => (point === null ? '' : formatPoint(point))).join('\n');
  return text(a) === text(b);
}
