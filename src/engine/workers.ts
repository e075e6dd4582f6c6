// With how many workers a lane starts, and where each of them stands. Points per worker mean something only for the number and
// the spreading they were made with; both change at a start where all of them stand at one place, as after a clean stop.

import { CdcError, formatPoint, type ResumePoint } from '../sdk/index.ts';
import type { LaneState } from '../state/store.ts';
import type { ParallelismConfig } from './pipeline-config.ts';
import type { Slots } from './slots.ts';

export interface WorkerPlan {
  /** `null`: the configured number, from the lane's one point. */
  readonly kept: NonNullable<LaneState['slots']> | null;
  /** One per worker. */
  readonly points: readonly ResumePoint[];
  /** The destination must be told: the number is another than what it holds. */
  readonly isNew: boolean;
}

/** `rows`: what is stored; `known`: what they were made with. Throws `STATE_LOST` when that cannot be told. */
export function planWorkers(lane: string, wanted: Slots, rows: readonly ResumePoint[], known: LaneState['slots']): WorkerPlan {
  const [first] = rows as readonly [ResumePoint, ...ResumePoint[]],
    isAsWanted = rows.length === wanted.count && (wanted.count === 1 || known === undefined || known.expression === wanted.expression);
  if (isAsWanted) return { kept: null, points: rows, isNew: false };
  if (rows.every((row) => placeText(row) === placeText(first)))
    return { kept: null, points: Array.from({ length: wanted.count }, () => first), isNew: rows.length !== wanted.count };
  if (known?.count === rows.length) return { kept: known, points: rows, isNew: false };
  throw new CdcError(
    'STATE_LOST',
    `destination "${lane}" has the points of ${rows.length} workers, and how events were spread over them is lost`,
    {
      where: `destination "${lane}"`,
      fix: `Set sync.parallelism as it was, with ${rows.length} workers, and stop the pipeline once; or run with \`--rejoin ${lane}\`.`,
    },
  );
}

function placeText(point: ResumePoint): string {
  return formatPoint({ ...point, epoch: 0 });
}

/** What points were made with, as a configuration: the expression is what `createSlots` made of one. */
export function parallelismOf({ count, expression }: NonNullable<LaneState['slots']>, now: ParallelismConfig): ParallelismConfig {
  const [strategy, field, ranges] = JSON.parse(expression) as [ParallelismConfig['strategy'], string | null, readonly number[]];
  return { ...now, workers: count, strategy, field, ranges };
}
