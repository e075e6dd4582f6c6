// What the parts of a run are made with, and what they tell the pipeline.

import type { CdcError, ResumePoint } from '../sdk/index.ts';
import type { StateChange } from '../state/store.ts';
import type { EngineDeps, RunOptions } from './api.ts';
import type { LaneSet } from './lane-set.ts';
import type { Parts } from './parts.ts';
import type { Patience } from './patience.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import type { RunRecord } from './run-record.ts';

export interface RunContext {
  readonly config: PipelineConfig;
  readonly deps: EngineDeps;
  readonly options: RunOptions;
  readonly patience: Patience;
  readonly parts: Parts;
  readonly lanes: LaneSet;
  readonly record: RunRecord;
  /** Aborts when everything is to end at once. */
  readonly hard: AbortSignal;
  /** Under the lease. */
  save(change: StateChange): Promise<void>;
  /** Throws `STATE_FENCED` once this process may no longer write to destinations that cannot fence it. */
  assertLease(): void;
  /** More of the log is durable. */
  onSynced(): void;
  /** A lane has confirmed or released something. */
  onLaneProgress(): void;
  onCheckpoint(point: ResumePoint): Promise<void>;
  onError(component: string, error: CdcError): void;
}
