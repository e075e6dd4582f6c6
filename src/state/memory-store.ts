// State in memory, with the semantics of the SQLite store: for tests, the simulator and throw-away runs. What it holds
// outlives `close`, so a "restarted" pipeline finds it again.

import { type CdcError, formatPoint, parsePoint, type RunSummary } from '../sdk/index.ts';
import {
  asInterrupted,
  formatHead,
  formatLane,
  formatRun,
  NEW_PIPELINE,
  newRun,
  parseHead,
  parseLane,
  parseRun,
  shortMessage,
} from './codec.ts';
import { fenced } from './errors.ts';
import { type ErrorRecord, KEPT_RUNS, type Lease, type PipelineState, type StateChange, type StateStore } from './store.ts';

interface Stored {
  owner: string | null;
  untilMs: number;
  head: string;
  transformer: { readonly point: string; readonly state: Uint8Array } | null;
  readonly lanes: Map<string, string>;
  readonly runs: Map<number, string>;
  readonly errors: Map<string, ErrorRecord>;
  readonly values: Map<string, Uint8Array>;
}

export class MemoryStateStore implements StateStore {
  readonly #pipelines = new Map<string, Stored>();

  async acquire(pipeline: string, owner: string, nowMs: number, untilMs: number): Promise<Lease> {
    let stored = this.#pipelines.get(pipeline);
    if (stored === undefined) {
      stored = empty();
      this.#pipelines.set(pipeline, stored);
    }
    if (stored.owner !== null && stored.owner !== owner && stored.untilMs > nowMs) return { owner: stored.owner, untilMs: stored.untilMs };
    stored.owner = owner;
    stored.untilMs = untilMs;
    return { owner, untilMs };
  }

  async release(pipeline: string, owner: string): Promise<void> {
    const stored = this.#pipelines.get(pipeline);
    if (stored?.owner !== owner) return;
    stored.owner = null;
    stored.untilMs = 0;
  }

  async load(pipeline: string): Promise<PipelineState> {
    const stored = this.#pipelines.get(pipeline);
    if (stored === undefined) return { ...NEW_PIPELINE, lanes: {}, transformer: null };
    const { transformer } = stored;
    return {
      ...parseHead(stored.head),
      lanes: Object.fromEntries([...stored.lanes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => [name, parseLane(text)])),
      transformer: transformer && { point: parsePoint(transformer.point), state: transformer.state.slice() },
    };
  }

  async save(pipeline: string, owner: string, untilMs: number, change: StateChange): Promise<void> {
    const stored = this.#owned(pipeline, owner);
    const old = parseHead(stored.head);
    // All texts are made before anything is changed: a change that cannot be stored changes nothing.
    const head = formatHead({
      used: change.used ?? old.used,
      epoch: change.epoch ?? old.epoch,
      lastScheduledMs: change.lastScheduledMs ?? old.lastScheduledMs,
    });
    const lanes = Object.entries(change.lanes ?? {}).map(([name, lane]) => [name, lane && formatLane(lane)] as const);
    const transformer = change.transformer && { point: formatPoint(change.transformer.point), state: change.transformer.state.slice() };
    stored.head = head;
    for (const [name, text] of lanes)
      if (text === null) stored.lanes.delete(name);
      else stored.lanes.set(name, text);
    if (transformer !== undefined) stored.transformer = transformer;
    stored.untilMs = Math.max(stored.untilMs, untilMs);
  }

  async beginRun(pipeline: string, owner: string, startedAtMs: number): Promise<number> {
    const stored = this.#owned(pipeline, owner);
    for (const [id, text] of stored.runs) {
      const run = parseRun(text);
      if (run.outcome === 'running') stored.runs.set(id, formatRun(asInterrupted(run)));
    }
    const id = Math.max(0, ...stored.runs.keys()) + 1;
    stored.runs.set(id, formatRun(newRun(pipeline, id, startedAtMs)));
    for (const old of stored.runs.keys()) if (old <= id - KEPT_RUNS) stored.runs.delete(old);
    return id;
  }

  async endRun(pipeline: string, owner: string, run: RunSummary): Promise<void> {
    this.#owned(pipeline, owner).runs.set(run.runId, formatRun(run));
  }

  async runs(pipeline: string, limit: number): Promise<readonly RunSummary[]> {
    const runs = [...(this.#pipelines.get(pipeline)?.runs ?? [])].sort(([a], [b]) => b - a);
    return runs.slice(0, limit).map(([, text]) => parseRun(text));
  }

  async recordError(pipeline: string, owner: string, component: string, error: CdcError, nowMs: number): Promise<void> {
    const { errors } = this.#owned(pipeline, owner),
      old = errors.get(component),
      again = old?.code === error.code;
    errors.set(component, {
      component,
      code: error.code,
      message: shortMessage(error),
      count: again ? old.count + 1 : 1,
      firstMs: again ? old.firstMs : nowMs,
      lastMs: nowMs,
    });
  }

  async errors(pipeline: string): Promise<readonly ErrorRecord[]> {
    const errors = [...(this.#pipelines.get(pipeline)?.errors.values() ?? [])];
    return errors.sort((a, b) => b.lastMs - a.lastMs || (a.component < b.component ? -1 : 1));
  }

  async getPluginValue(pipeline: string, plugin: string, key: string): Promise<Uint8Array | null> {
    return (
      this.#pipelines
        .get(pipeline)
        ?.values.get(JSON.stringify([plugin, key]))
        ?.slice() ?? null
    );
  }

  async setPluginValue(pipeline: string, owner: string, plugin: string, key: string, value: Uint8Array): Promise<void> {
    this.#owned(pipeline, owner).values.set(JSON.stringify([plugin, key]), value.slice());
  }

  async pipelines(): Promise<readonly string[]> {
    return [...this.#pipelines.keys()].sort();
  }

  async close(): Promise<void> {}

  #owned(pipeline: string, owner: string): Stored {
    const stored = this.#pipelines.get(pipeline);
    if (stored === undefined || stored.owner !== owner) throw fenced(pipeline, owner, stored?.owner ?? null);
    return stored;
  }
}

function empty(): Stored {
  return {
    owner: null,
    untilMs: 0,
    head: formatHead(NEW_PIPELINE),
    transformer: null,
    lanes: new Map(),
    runs: new Map(),
    errors: new Map(),
    values: new Map(),
  };
}
