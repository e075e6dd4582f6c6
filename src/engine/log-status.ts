// What is shown of the change log: how much it holds, how much of that lanes still need, and its bounds.

import type { ChangeLog, DurableLog, LogUsage } from '../log/change-log.ts';
import type { LogStatus } from './api.ts';
import type { RunningLane } from './lane-options.ts';
import type { PipelineConfig } from './pipeline-config.ts';

/** `null`: a log that is gone with its process. */
export function usageOf(log: ChangeLog): LogUsage | null {
  return 'usage' in log ? (log as DurableLog).usage() : null;
}

/** `log`: `null` before it is opened. */
export function logStatus({ type, maxEvents, maxBytes }: PipelineConfig['log'], log: ChangeLog | null): LogStatus {
  const held = log?.held() ?? { events: 0, bytes: 0 },
    usage = log === null ? null : usageOf(log);
  return {
    type,
    ...held,
    neededEvents: usage?.neededEvents ?? held.events,
    neededBytes: usage?.neededBytes ?? held.bytes,
    maxEvents: boundOf(maxEvents),
    maxBytes: boundOf(maxBytes),
  };
}

/** JSON knows no infinity. */
const boundOf = (n: number): number | null => (Number.isFinite(n) ? n : null);

/** The lane that holds most of the log, of those for which the source will wait. */
export function slowest(lanes: readonly RunningLane[]): string | null {
  const [first, ...rest] = lanes;
  if (first === undefined) return null;
  return rest.reduce((slow, lane) => (lane.releasedSeq < slow.releasedSeq ? lane : slow), first).name;
}
