// What changes while a pipeline runs, and what is shown of it.

import type { CdcError, Clock, RunSummary } from '../sdk/index.ts';
import { newRun } from '../state/codec.ts';
import type { LaneStatus, PipelineStatus } from './api.ts';
import type { LaneSet } from './lane-set.ts';
import { logStatus } from './log-status.ts';
import type { Parts } from './parts.ts';
import type { PipelineConfig } from './pipeline-config.ts';

export interface RunRecordOptions {
  readonly config: PipelineConfig;
  readonly clock: Clock;
  readonly parts: Parts;
  readonly lanes: LaneSet;
}

export class RunRecord {
  readonly #o: RunRecordOptions;
  readonly startedMs: number;
  stage: PipelineStatus['state'] = 'starting';
  epoch = 0;
  /** The first one: it ends the run. */
  failure: CdcError | null = null;
  /** Without what is counted elsewhere while it runs: see `summary`. */
  run: RunSummary;
  #lastProgressMs: number;
  #lastCheckpointMs: number | null = null;

  constructor(options: RunRecordOptions) {
    this.#o = options;
    this.startedMs = this.#lastProgressMs = options.clock.now();
    this.run = newRun(options.config.name, 0, this.startedMs);
  }

  /** This process is no longer the one that runs the pipeline. */
  get isFenced(): boolean {
    return this.failure?.code.endsWith('_FENCED') ?? false;
  }

  progressed(): void {
    this.#lastProgressMs = this.#o.clock.now();
  }
  checkpointed(): void {
    this.#lastCheckpointMs = this.#o.clock.now();
  }

  summary(): RunSummary {
    const { parts } = this.#o,
      { counts: lanes, detached } = this.#o.lanes,
      spine = parts.flowing?.spine;
    return {
      ...this.run,
      eventsRead: parts.eventsRead,
      eventsFiltered: spine?.filtered ?? 0,
      deadLetters: (spine?.parked ?? 0) + lanes.reduce((n, l) => n + l.parked, 0),
      delivered: Object.fromEntries(lanes.map((l) => [l.name, l.delivered])),
      ...(detached === undefined ? {} : { detached }),
    };
  }

  status(): PipelineStatus {
    const { config, parts, lanes } = this.#o;
    return {
      name: config.name,
      file: config.file,
      mode: config.sync.mode,
      state: this.stage,
      epoch: this.epoch,
      startedMs: this.startedMs,
      run: this.run.endedAtMs === null ? this.summary() : this.run,
      sources: parts.readers.map((r) => r.status()),
      lanes: lanes.statuses().map((lane) => ({ ...lane, lagBytes: this.#bytesBehind(lane) })),
      log: logStatus(config.log, parts.flowing?.log ?? null),
      lastCheckpointMs: this.#lastCheckpointMs,
      lastProgressMs: this.#lastProgressMs,
      nextRunMs: null,
      error: this.failure,
    };
  }

  /** Of all sources together: one that cannot tell leaves it open. */
  #bytesBehind({ point }: LaneStatus): number | null {
    let bytes: number | null = null;
    for (const reader of this.#o.parts.readers) {
      const behind = point === null ? null : reader.bytesBehind(point.sources[reader.name] ?? {});
      if (behind === null) return null;
      bytes = (bytes ?? 0) + behind;
    }
    return bytes;
  }
}
