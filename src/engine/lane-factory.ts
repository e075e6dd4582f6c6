// Makes the lane of a destination that takes part: one worker, or a group of them.

import type { ChangeLog } from '../log/change-log.ts';
import type { CdcError, ResumePoint } from '../sdk/index.ts';
import type { ReplayRequest } from '../state/store.ts';
import type { SharedEncoder } from './encoding.ts';
import type { Joined } from './joining.ts';
import { Lane } from './lane.ts';
import type { RunningLane } from './lane-options.ts';
import type { LaneTransform } from './lane-transform.ts';
import { laneStore, ParkedKeys } from './parked-keys.ts';
import { RateLimiter } from './rate-limiter.ts';
import { entryOfWorker } from './resume-durable.ts';
import type { LogEntry } from './resume-rules.ts';
import type { RunContext } from './run-context.ts';
import { WorkerGroup } from './worker-group.ts';

/** What only this lane has, beside its destination. */
export interface LaneParts {
  readonly log: ChangeLog;
  readonly entry: LogEntry;
  readonly encoder: SharedEncoder | null;
  readonly transform: LaneTransform | null;
}

export function createLane(
  run: RunContext,
  { open, points, slots, state: { joinedAt, replay } }: Joined['lanes'][number],
  { log, entry, encoder, transform }: LaneParts,
): RunningLane {
  const { config, deps, parts, lanes } = run,
    { clock, random, logger } = deps,
    { name, delivery } = open.config;
  const options = {
    pipeline: config.name,
    config: open.config,
    destination: open.destination,
    holdsPoint: open.capabilities.holdsPoint,
    idempotent: open.capabilities.idempotent,
    epoch: run.record.epoch,
    log,
    codecs: parts.codecs,
    queues: parts.queues,
    encoder,
    transform,
    middleware: parts.middleware,
    failFast: run.options.failFast,
    isWaitedFor: () => lanes.waitsFor(name),
    deadLetters: deps.deadLettersOf(name),
    keys: new ParkedKeys(deps.store(laneStore(name)), parts.codecs),
    rate: new RateLimiter(delivery.rateLimit, clock),
    clock,
    random,
    logger,
    assertLease: () => run.assertLease(),
    joinedAt,
    replay,
    saveReplay: (request: ReplayRequest | null) => lanes.saveReplay(name, request),
    onProgress: () => run.onLaneProgress(),
    onError: (error: CdcError) => run.onError(name, error),
  };
  const [point] = points as readonly [ResumePoint];
  if (slots.count === 1) return new Lane({ ...options, point, entry, worker: null });
  const workers = points.map((own) => ({ point: own, entry: config.log.type === 'disk' ? entryOfWorker(own, log, entry) : entry }));
  return new WorkerGroup(options, slots, workers);
}
