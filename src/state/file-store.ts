// The state store `file`: a folder with two generations of one document per pipeline. For where no native module may be
// loaded, and for state that can be read with an editor. See generations.ts for how a generation is made.

import { closeSync, openSync, statSync } from 'node:fs';
import type { CdcError } from '../sdk/index.ts';
import { makeFolderSync } from '../util/make-folder.ts';
import { PipelineDocument } from './document.ts';
import { DocumentStateStore, type StoredDocument, TakenError } from './document-store.ts';
import type { DocumentText, IdsFile } from './document-text.ts';
import { classifyStateError, unavailable } from './errors.ts';
import { type Generation, Generations, namesIn } from './generations.ts';
import type { DeliveredIds, Lease } from './store.ts';

/** Opens the folder, creating it (mode 0700) if it is not there. Throws `STATE_UNAVAILABLE`; never resets anything. */
export async function openFileStateStore(path: string): Promise<FileStateStore> {
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

class FileStateStore extends DocumentStateStore<Generation> {
  readonly #folder: string;
  readonly #inode: number;
  /** Kept open, so that another folder cannot get the inode. */
  readonly #handle: number | null;
  #isOpen = true;
  readonly #known = new Map<string, Generation>();
  /** Where the ids of a bucket are: they are written once, and named again by each generation. */
  readonly #idsFiles = new WeakMap<DeliveredIds, IdsFile>();

  constructor(folder: string) {
    super();
    this.#folder = folder;
    this.#inode = statSync(folder).ino;
    this.#handle = process.platform === 'win32' ? null : openSync(folder, 'r');
  }

  override async acquire(pipeline: string, owner: string, nowMs: number, untilMs: number): Promise<Lease> {
    try {
      this.#found(pipeline);
    } catch (error) {
      throw this.classify(error);
    }
    return super.acquire(pipeline, owner, nowMs, untilMs);
  }

  async close(): Promise<void> {
    this.#known.clear();
    if (this.#isOpen && this.#handle !== null) closeSync(this.#handle);
    this.#isOpen = false;
  }

  protected async newest(pipeline: string): Promise<Generation | null> {
    return this.#newest(pipeline);
  }

  protected async known(pipeline: string): Promise<Generation | null> {
    return this.#newest(pipeline);
  }

  protected async replace(pipeline: string, before: Generation | null, content: StoredDocument['content']): Promise<void> {
    const after = this.#commit(pipeline, before, content);
    if (!content.forgotten) return;
    try {
      // Once more, so that the predecessor holds nothing of it either.
      this.#commit(pipeline, after, content);
    } catch (error) {
      if (!(error instanceof TakenError)) throw error; // somebody has begun anew
    }
  }

  protected async names(): Promise<readonly string[]> {
    return namesIn(this.#folder);
  }

  protected classify(error: unknown): CdcError {
    return classifyStateError(this.#folder, error);
  }

  /** The first generation is empty, so that going back to it would be noticed as going back to before the beginning. */
  #found(pipeline: string): void {
    if (this.#newest(pipeline) !== null) return;
    try {
      this.#commit(pipeline, null, { forgotten: true, document: new PipelineDocument() });
    } catch (error) {
      if (!(error instanceof TakenError)) throw error; // somebody else has founded it
    }
  }

  #commit(pipeline: string, before: Generation | null, { forgotten, document }: StoredDocument['content']): Generation {
    const generations = new Generations(this.#folder, pipeline),
      content: DocumentText = { pipeline, forgotten, document, ids: this.#writeIds(generations, before, document) };
    try {
      const after = generations.commit(before, content);
      this.#known.set(pipeline, after);
      return after;
    } catch (error) {
      if (error instanceof TakenError) this.#known.delete(pipeline);
      throw error;
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
}
