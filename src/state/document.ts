// All that is stored of one pipeline, as one document in memory: what the memory store keeps, and what the file store writes
// whole. A change is applied to a copy or not at all by whoever needs that; see `copy`.

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
  parseCheckpoint,
  parseHead,
  parseLane,
  parseRun,
  shortMessage,
} from './codec.ts';
import { fenced } from './errors.ts';
import type { Checkpoint, DeliveredIds, ErrorRecord, Lease, PipelineState, StateChange } from './store.ts';

interface StoredCheckpoint {
  readonly id: number;
  readonly atMs: number;
  readonly lanes: string;
}

/** Everything as text or bytes, so that nothing in here is shared with callers. */
export interface DocumentParts {
  owner: string | null;
  untilMs: number;
  head: string;
  transformer: { readonly point: string; readonly state: Uint8Array } | null;
  lanes: Map<string, string>;
  runs: Map<number, string>;
  errors: Map<string, ErrorRecord>;
  /** By `JSON.stringify([plugin, key])`. */
  values: Map<string, Uint8Array>;
  /** Oldest first. */
  checkpoints: StoredCheckpoint[];
  delivered: Map<number, DeliveredIds>;
}

export class PipelineDocument {
  readonly #parts: DocumentParts;

  constructor(parts: DocumentParts = emptyParts()) {
    this.#parts = parts;
  }

  /** The stored parts themselves: for writing them down. */
  get parts(): Readonly<DocumentParts> {
    return this.#parts;
  }

  /** A document whose changes do not touch this one. */
  copy(): PipelineDocument {
    const { lanes, runs, errors, values, checkpoints, delivered } = this.#parts;
    return new PipelineDocument({
      ...this.#parts,
      lanes: new Map(lanes),
      runs: new Map(runs),
      errors: new Map(errors),
      values: new Map(values),
      checkpoints: [...checkpoints],
      delivered: new Map(delivered),
    });
  }

  acquire(owner: string, nowMs: number, untilMs: number): Lease {
    const stored = this.#parts;
    if (stored.owner !== null && stored.owner !== owner && stored.untilMs > nowMs) return { owner: stored.owner, untilMs: stored.untilMs };
    stored.owner = owner;
    stored.untilMs = untilMs;
    return { owner, untilMs };
  }

  release(owner: string): void {
    if (this.#parts.owner !== owner) return;
    this.#parts.owner = null;
    this.#parts.untilMs = 0;
  }

  assertOwner(pipeline: string, owner: string): void {
    if (this.#parts.owner !== owner) throw fenced(pipeline, owner, this.#parts.owner);
  }

  load(): PipelineState {
    const { head, lanes, transformer } = this.#parts;
    return {
      ...parseHead(head),
      lanes: Object.fromEntries([...lanes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => [name, parseLane(text)])),
      transformer: transformer && { point: parsePoint(transformer.point), state: transformer.state.slice() },
    };
  }

  save(untilMs: number, change: StateChange): void {
    const stored = this.#parts;
    // All texts are made before anything is changed: a change that cannot be stored changes nothing.
    const head = formatHead(changedHead(parseHead(stored.head), change));
    const lanes = Object.entries(change.lanes ?? {}).map(([name, lane]) => [name, lane && formatLane(lane)] as const);
    const transformer = change.transformer && { point: formatPoint(change.transformer.point), state: change.transformer.state.slice() };
    stored.head = head;
    for (const [name, text] of lanes)
      if (text === null) stored.lanes.delete(name);
      else stored.lanes.set(name, text);
    if (transformer !== undefined) stored.transformer = transformer;
    for (const ids of change.delivered ?? [])
      if (ids.ids === null) stored.delivered.delete(ids.bucket);
      else stored.delivered.set(ids.bucket, { ...ids, ids: ids.ids.slice() });
    if (change.checkpoint !== undefined) this.#addCheckpoint(change.checkpoint);
    stored.untilMs = Math.max(stored.untilMs, untilMs);
  }

  #addCheckpoint(wanted: NonNullable<StateChange['checkpoint']>): void {
    const stored = this.#parts,
      last = stored.checkpoints.at(-1) ?? null;
    const lanes = checkpointOf([...stored.lanes].map(([name, text]) => [name, parseLane(text)] as const));
    if (!isCheckpointDue(lanes, last, wanted)) return;
    stored.checkpoints.push({ id: (last?.id ?? 0) + 1, atMs: wanted.atMs, lanes: formatCheckpoint(lanes) });
    stored.checkpoints = stored.checkpoints.slice(-wanted.keep);
  }

  checkpoints(): readonly Checkpoint[] {
    return this.#parts.checkpoints.map(({ id, atMs, lanes }) => ({ id, atMs, lanes: parseCheckpoint(lanes) })).reverse();
  }

  delivered(): readonly DeliveredIds[] {
    const found = [...this.#parts.delivered.values()].sort((a, b) => a.bucket - b.bucket);
    return found.map((ids) => ({ ...ids, ids: ids.ids.slice() }));
  }

  beginRun(pipeline: string, startedAtMs: number, kept: number): number {
    const { runs } = this.#parts;
    for (const [id, text] of runs) {
      const run = parseRun(text);
      if (run.outcome === 'running') runs.set(id, formatRun(asInterrupted(run)));
    }
    const id = Math.max(0, ...runs.keys()) + 1;
    runs.set(id, formatRun(newRun(pipeline, id, startedAtMs)));
    for (const old of [...runs.keys()]) if (old <= id - kept) runs.delete(old);
    return id;
  }

  endRun(run: RunSummary): void {
    this.#parts.runs.set(run.runId, formatRun(run));
  }

  runs(limit: number): readonly RunSummary[] {
    const runs = [...this.#parts.runs].sort(([a], [b]) => b - a);
    return runs.slice(0, limit).map(([, text]) => parseRun(text));
  }

  recordError(component: string, error: CdcError, nowMs: number): void {
    const { errors } = this.#parts,
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

  errors(): readonly ErrorRecord[] {
    return [...this.#parts.errors.values()].sort((a, b) => b.lastMs - a.lastMs || (a.component < b.component ? -1 : 1));
  }

  pluginValue(plugin: string, key: string): Uint8Array | null {
    return this.#parts.values.get(JSON.stringify([plugin, key]))?.slice() ?? null;
  }

  setPluginValue(plugin: string, key: string, value: Uint8Array): void {
    this.#parts.values.set(JSON.stringify([plugin, key]), value.slice());
  }
}

function emptyParts(): DocumentParts {
  return {
    owner: null,
    untilMs: 0,
    head: formatHead(NEW_PIPELINE),
    transformer: null,
    lanes: new Map(),
    runs: new Map(),
    errors: new Map(),
    values: new Map(),
    checkpoints: [],
    delivered: new Map(),
  };
}
