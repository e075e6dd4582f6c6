// What the stores share that keep one document per pipeline and replace it whole: each write is made from the newest generation and
// taken only if nobody came in between, so a process that lost its lease changes nothing any more (invariant 2).

import type { CdcError, RunSummary } from '../sdk/index.ts';
import { PipelineDocument } from './document.ts';
import type { DocumentText } from './document-text.ts';
import type { Checkpoint, DeliveredIds, ErrorRecord, Lease, PipelineState, StateChange, StateStore } from './store.ts';

/** Runs kept per pipeline: fewer than in SQLite, because each save writes all of them. */
export const KEPT_RUNS_IN_DOCUMENT = 100;
/** A save meets another process now and then, at a change of the lease; not this often. */
const MAX_TRIES = 50;

/** Somebody else saved in between: look again. */
export class TakenError extends Error {}

export interface StoredDocument {
  readonly content: Pick<DocumentText, 'forgotten' | 'document'>;
}

export abstract class DocumentStateStore<D extends StoredDocument> implements StateStore {
  /** Writes to a pipeline's document in this process take turns: none of them meets another one. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /** `null`: there never was one. */
  protected abstract newest(pipeline: string): Promise<D | null>;
  /** The newest as far as it is known here: a wrong guess is a `TakenError` of `replace`. */
  protected abstract known(pipeline: string): Promise<D | null>;
  /** Makes it the one after `before`, durably. Throws `TakenError`, after which `known` is anew what is stored. */
  protected abstract replace(pipeline: string, before: D | null, content: StoredDocument['content']): Promise<void>;
  /** All that have a document, forgotten ones as well. */
  protected abstract names(): Promise<readonly string[]>;
  protected abstract classify(error: unknown): CdcError;
  abstract close(): Promise<void>;

  async acquire(pipeline: string, owner: string, nowMs: number, untilMs: number): Promise<Lease> {
    return this.#change(pipeline, this.newest, (document) => {
      const lease = document.acquire(owner, nowMs, untilMs);
      return { result: lease, changed: lease.owner === owner };
    });
  }

  async release(pipeline: string, owner: string): Promise<void> {
    await this.#change(pipeline, this.newest, (document) => {
      const held = document.parts.owner === owner;
      document.release(owner);
      return { result: undefined, changed: held };
    });
  }

  async load(pipeline: string): Promise<PipelineState> {
    return this.#read(pipeline, (document) => document.load());
  }

  async save(pipeline: string, owner: string, untilMs: number, change: StateChange): Promise<void> {
    await this.#asOwner(pipeline, owner, (document) => document.save(untilMs, change));
  }

  async checkpoints(pipeline: string): Promise<readonly Checkpoint[]> {
    return this.#read(pipeline, (document) => document.checkpoints());
  }

  async delivered(pipeline: string): Promise<readonly DeliveredIds[]> {
    return this.#read(pipeline, (document) => document.delivered());
  }

  async forget(pipeline: string, owner: string): Promise<void> {
    await this.#change(pipeline, this.known, (document) => {
      document.assertOwner(pipeline, owner);
      return { result: undefined, changed: 'forgotten' };
    });
  }

  async beginRun(pipeline: string, owner: string, startedAtMs: number): Promise<number> {
    return this.#asOwner(pipeline, owner, (document) => document.beginRun(pipeline, startedAtMs, KEPT_RUNS_IN_DOCUMENT));
  }

  async endRun(pipeline: string, owner: string, run: RunSummary): Promise<void> {
    await this.#asOwner(pipeline, owner, (document) => document.endRun(run));
  }

  async runs(pipeline: string, limit: number): Promise<readonly RunSummary[]> {
    return this.#read(pipeline, (document) => document.runs(limit));
  }

  async recordError(pipeline: string, owner: string, component: string, error: CdcError, nowMs: number): Promise<void> {
    await this.#asOwner(pipeline, owner, (document) => document.recordError(component, error, nowMs));
  }

  async errors(pipeline: string): Promise<readonly ErrorRecord[]> {
    return this.#read(pipeline, (document) => document.errors());
  }

  async getPluginValue(pipeline: string, plugin: string, key: string): Promise<Uint8Array | null> {
    return this.#read(pipeline, (document) => document.pluginValue(plugin, key));
  }

  async setPluginValue(pipeline: string, owner: string, plugin: string, key: string, value: Uint8Array): Promise<void> {
    await this.#asOwner(pipeline, owner, (document) => document.setPluginValue(plugin, key, value));
  }

  async pipelines(): Promise<readonly string[]> {
    return this.#guard(async () => {
      const found: string[] = [];
      for (const name of await this.names()) if ((await this.newest(name))?.content.forgotten === false) found.push(name);
      return found.sort();
    });
  }

  #read<T>(pipeline: string, read: (document: PipelineDocument) => T): Promise<T> {
    return this.#guard(async () => read((await this.newest(pipeline))?.content.document ?? new PipelineDocument()));
  }

  #asOwner<T>(pipeline: string, owner: string, write: (document: PipelineDocument) => T): Promise<T> {
    return this.#change(pipeline, this.known, (document) => {
      document.assertOwner(pipeline, owner);
      return { result: write(document), changed: true };
    });
  }

  /** `look`: what the change is made from. Where nothing may be written, no swap tells that a guess was wrong: so not from a guess. */
  #change<T>(pipeline: string, look: Look<D>, apply: Apply<T>): Promise<T> {
    const turn = (this.#turns.get(pipeline) ?? Promise.resolve()).then(() => this.#guard(() => this.#changeNow(pipeline, look, apply)));
    this.#turns.set(
      pipeline,
      turn.catch(() => undefined),
    );
    return turn;
  }

  /** Applies a change to the newest document until nobody came in between. The owner is looked at in the very one that is replaced. */
  async #changeNow<T>(pipeline: string, look: Look<D>, apply: Apply<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const before = await look.call(this, pipeline),
        document = before?.content.document.copy() ?? new PipelineDocument(),
        { result, changed } = apply(document);
      if (changed === false) return result;
      const forgotten = changed === 'forgotten';
      try {
        await this.replace(pipeline, before, { forgotten, document: forgotten ? new PipelineDocument() : document });
        return result;
      } catch (error) {
        if (!(error instanceof TakenError) || tries >= MAX_TRIES) throw error;
      }
    }
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.classify(error);
    }
  }
}

type Look<D> = (pipeline: string) => Promise<D | null>;

/** `changed`: is there anything to write? */
type Apply<T> = (document: PipelineDocument) => { readonly result: T; readonly changed: boolean | 'forgotten' };
