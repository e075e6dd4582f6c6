// The state store `file`: a folder with two generations of one document per pipeline. For where no native module may be
// loaded, and for state that can be read with an editor. Each write is a new generation (see generations.ts), made from the
// newest one and taken by nobody else, so a process that lost its lease changes nothing any more (invariant 2).

import { closeSync, openSync, statSync } from 'node:fs';
import type { CdcError, RunSummary } from '../sdk/index.ts';
import { makeFolderSync } from '../util/make-folder.ts';
import { PipelineDocument } from './document.ts';
import type { IdsFile } from './document-text.ts';
import { classifyStateError, unavailable } from './errors.ts';
import { type Generation, Generations, namesIn, TakenError } from './generations.ts';
import type { Checkpoint, DeliveredIds, ErrorRecord, Lease, PipelineState, StateChange, StateStore } from './store.ts';

/** Runs kept per pipeline: fewer than in SQLite, because each save writes all of them. */
export const KEPT_RUNS_IN_FILE = 100;
/** A save meets another process now and then, at a change of the lease; not this often. */
const MAX_TRIES = 50;

/** Opens the folder, creating it (mode 0700) if it is not there. Throws `STATE_UNAVAILABLE`; never resets anything. */
export async function openFileStateStore(path: string): Promise<StateStore> {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) makeFolderSync(path, { mode: 0o700 });
    else if (!found.isDirectory())
      throw unavailable(path, 'is not a folder.', { fix: 'Set state.path to a folder, or state.type to sqlite.' });
    return new FileStateStore(path);
  } catch (error) {
    throw classifyStateError(path, error);
  }
}

class FileStateStore implements StateStore {
  readonly #folder: string;
  readonly #inode: number;
  /** Kept open, so that another folder cannot get the inode. */
  readonly #handle: number | null;
  #isOpen = true;
  readonly #known = new Map<string, Generation>();
  /** Where the ids of a bucket are: they are written once, and named again by each generation. */
  readonly #idsFiles = new WeakMap<DeliveredIds, IdsFile>();

  constructor(folder: string) {
    this.#folder = folder;
    this.#inode = statSync(folder).ino;
    this.#handle = process.platform === 'win32' ? null : openSync(folder, 'r');
  }

  async acquire(pipeline: string, owner: string, nowMs: number, untilMs: number): Promise<Lease> {
    return this.#guard(() => {
      this.#found(pipeline);
      return this.#change(pipeline, (document) => {
        const lease = document.acquire(owner, nowMs, untilMs);
        return { result: lease, changed: lease.owner === owner };
      });
    });
  }

  async release(pipeline: string, owner: string): Promise<void> {
    this.#guard(() =>
      this.#change(pipeline, (document) => {
        const held = document.parts.owner === owner;
        document.release(owner);
        return { result: undefined, changed: held };
      }),
    );
  }

  async load(pipeline: string): Promise<PipelineState> {
    return this.#read(pipeline, (document) => document.load());
  }

  async save(pipeline: string, owner: string, untilMs: number, change: StateChange): Promise<void> {
    this.#asOwner(pipeline, owner, (document) => document.save(untilMs, change));
  }

  async checkpoints(pipeline: string): Promise<readonly Checkpoint[]> {
    return this.#read(pipeline, (document) => document.checkpoints());
  }

  async delivered(pipeline: string): Promise<readonly DeliveredIds[]> {
    return this.#read(pipeline, (document) => document.delivered());
  }

  /** Twice, so that the predecessor holds nothing of it either. */
  async forget(pipeline: string, owner: string): Promise<void> {
    this.#guard(() => {
      this.#change(pipeline, (document) => {
        document.assertOwner(pipeline, owner);
        return { result: undefined, changed: 'forgotten' };
      });
      this.#change(pipeline, ({ parts }) => ({ result: undefined, changed: parts.owner === null ? 'forgotten' : false }));
    });
  }

  async beginRun(pipeline: string, owner: string, startedAtMs: number): Promise<number> {
    return this.#asOwner(pipeline, owner, (document) => document.beginRun(pipeline, startedAtMs, KEPT_RUNS_IN_FILE));
  }

  async endRun(pipeline: string, owner: string, run: RunSummary): Promise<void> {
    this.#asOwner(pipeline, owner, (document) => document.endRun(run));
  }

  async runs(pipeline: string, limit: number): Promise<readonly RunSummary[]> {
    return this.#read(pipeline, (document) => document.runs(limit));
  }

  async recordError(pipeline: string, owner: string, component: string, error: CdcError, nowMs: number): Promise<void> {
    this.#asOwner(pipeline, owner, (document) => document.recordError(component, error, nowMs));
  }

  async errors(pipeline: string): Promise<readonly ErrorRecord[]> {
    return this.#read(pipeline, (document) => document.errors());
  }

  async getPluginValue(pipeline: string, plugin: string, key: string): Promise<Uint8Array | null> {
    return this.#read(pipeline, (document) => document.pluginValue(plugin, key));
  }

  async setPluginValue(pipeline: string, owner: string, plugin: string, key: string, value: Uint8Array): Promise<void> {
    this.#asOwner(pipeline, owner, (document) => document.setPluginValue(plugin, key, value));
  }

  async pipelines(): Promise<readonly string[]> {
    return this.#guard(() => {
      const names = namesIn(this.#folder).filter((name) => this.#newest(name)?.content.forgotten === false);
      return names.sort();
    });
  }

  async close(): Promise<void> {
    this.#known.clear();
    if (this.#isOpen && this.#handle !== null) closeSync(this.#handle);
    this.#isOpen = false;
  }

  #read<T>(pipeline: string, read: (document: PipelineDocument) => T): T {
    return this.#guard(() => read(this.#newest(pipeline)?.content.document ?? new PipelineDocument()));
  }

  #asOwner<T>(pipeline: string, owner: string, write: (document: PipelineDocument) => T): T {
    return this.#guard(() =>
      this.#change(pipeline, (document) => {
        document.assertOwner(pipeline, owner);
        return { result: write(document), changed: true };
      }),
    );
  }

  /** The first generation is empty, so that going back to it would be noticed as going back to before the beginning. */
  #found(pipeline: string): void {
    if (this.#newest(pipeline) !== null) return;
    const content = { pipeline, forgotten: true, document: new PipelineDocument(), ids: [] };
    try {
      this.#known.set(pipeline, new Generations(this.#folder, pipeline).commit(null, content));
    } catch (error) {
      if (!(error instanceof TakenError)) throw error; // somebody else has founded it
    }
  }

  /** Applies a change to the newest generation until nobody came in between. The owner is looked at in the very one that is replaced. */
  #change<T>(pipeline: string, apply: (document: PipelineDocument) => { result: T; changed: boolean | 'forgotten' }): T {
    const generations = new Generations(this.#folder, pipeline);
    for (let tries = 1; ; tries++) {
      const before = this.#newest(pipeline);
      let document = before?.content.document.copy() ?? new PipelineDocument();
      const { result, changed } = apply(document);
      if (changed === false) return result;
      const forgotten = changed === 'forgotten';
      if (forgotten) document = new PipelineDocument();
      try {
        const ids = this.#writeIds(generations, before, document);
        this.#known.set(pipeline, generations.commit(before, { pipeline, forgotten, document, ids }));
        return result;
      } catch (error) {
        if (!(error instanceof TakenError) || tries >= MAX_TRIES) throw error;
        this.#known.delete(pipeline);
      }
    }
  }

  #writeIds(generations: Generations, before: Generation | null, document: PipelineDocument): IdsFile[] {
    return [...document.parts.delivered.values()].map((bucket) => {
      let file = this.#idsFiles.get(bucket);
      if (file === undefined) {
        file = { bucket: bucket.bucket, lastMs: bucket.lastMs, ...generations.writeIds(before, bucket.bucket, bucket.ids) };
        this.#idsFiles.set(bucket, file);
      }
      return file;
    });
  }

  #newest(pipeline: string): Generation | null {
    this.#assertInPlace();
    const generations = new Generations(this.#folder, pipeline);
    const known = this.#known.get(pipeline) ?? null;
    const found = generations.newest(known);
    if (found === null || found === known) return found;
    for (const file of found.content.ids) {
      const bucket = { bucket: file.bucket, lastMs: file.lastMs, ids: generations.readIds(file.file, file.sha256) };
      this.#idsFiles.set(bucket, file);
      found.content.document.parts.delivered.set(file.bucket, bucket);
    }
    this.#known.set(pipeline, found);
    return found;
  }

  /** A folder that was removed or replaced while it is in use would take writes that nobody reads. */
  #assertInPlace(): void {
    if (statSync(this.#folder, { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw unavailable(this.#folder, 'was removed or replaced while the program runs.', {
      fix: 'Put the folder back, or stop the program and start it again.',
    });
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw classifyStateError(this.#folder, error);
    }
  }
}
