// State in memory, with the semantics of the other stores: for tests, the simulator and throw-away runs. What it holds
// outlives `close`, so a "restarted" pipeline finds it again.

import type { CdcError, RunSummary } from '../sdk/index.ts';
import { PipelineDocument } from './document.ts';
import { fenced } from './errors.ts';
import {
  type Checkpoint,
  type DeliveredIds,
  type ErrorRecord,
  KEPT_RUNS,
  type Lease,
  type PipelineState,
  type StateChange,
  type StateStore,
} from './store.ts';

export class MemoryStateStore implements StateStore {
  readonly #pipelines = new Map<string, PipelineDocument>();

  async acquire(pipeline: string, owner: string, nowMs: number, untilMs: number): Promise<Lease> {
    let stored = this.#pipelines.get(pipeline);
    if (stored === undefined) {
      stored = new PipelineDocument();
      this.#pipelines.set(pipeline, stored);
    }
    return stored.acquire(owner, nowMs, untilMs);
  }

  async release(pipeline: string, owner: string): Promise<void> {
    this.#pipelines.get(pipeline)?.release(owner);
  }

  async load(pipeline: string): Promise<PipelineState> {
    return this.#read(pipeline).load();
  }

  async save(pipeline: string, owner: string, untilMs: number, change: StateChange): Promise<void> {
    this.#owned(pipeline, owner).save(untilMs, change);
  }

  async checkpoints(pipeline: string): Promise<readonly Checkpoint[]> {
    return this.#read(pipeline).checkpoints();
  }

  async delivered(pipeline: string): Promise<readonly DeliveredIds[]> {
    return this.#read(pipeline).delivered();
  }

  async forget(pipeline: string, owner: string): Promise<void> {
    this.#owned(pipeline, owner);
    this.#pipelines.delete(pipeline);
  }

  async beginRun(pipeline: string, owner: string, startedAtMs: number): Promise<number> {
    return this.#owned(pipeline, owner).beginRun(pipeline, startedAtMs, KEPT_RUNS);
  }

  async endRun(pipeline: string, owner: string, run: RunSummary): Promise<void> {
    this.#owned(pipeline, owner).endRun(run);
  }

  async runs(pipeline: string, limit: number): Promise<readonly RunSummary[]> {
    return this.#read(pipeline).runs(limit);
  }

  async recordError(pipeline: string, owner: string, component: string, error: CdcError, nowMs: number): Promise<void> {
    this.#owned(pipeline, owner).recordError(component, error, nowMs);
  }

  async errors(pipeline: string): Promise<readonly ErrorRecord[]> {
    return this.#read(pipeline).errors();
  }

  async getPluginValue(pipeline: string, plugin: string, key: string): Promise<Uint8Array | null> {
    return this.#read(pipeline).pluginValue(plugin, key);
  }

  async setPluginValue(pipeline: string, owner: string, plugin: string, key: string, value: Uint8Array): Promise<void> {
    this.#owned(pipeline, owner).setPluginValue(plugin, key, value);
  }

  async pipelines(): Promise<readonly string[]> {
    return [...this.#pipelines.keys()].sort();
  }

  async close(): Promise<void> {}

  #read(pipeline: string): PipelineDocument {
    return this.#pipelines.get(pipeline) ?? new PipelineDocument();
  }

  #owned(pipeline: string, owner: string): PipelineDocument {
    const stored = this.#pipelines.get(pipeline);
    if (stored === undefined) throw fenced(pipeline, owner, null);
    stored.assertOwner(pipeline, owner);
    return stored;
  }
}
