// The lane's points, kept in a table beside the data and fenced by epoch: what makes delivery effectively-once. What databases
// share of it; the statements are theirs.
//
// One row per worker slot, and one of worker -1 that holds the epoch of the last claim, so that an empty destination can be
// claimed, too. `point` is the canonical text of `formatPoint`, so the fence compares texts.

import { CdcError, type Committed, type LaneId, parsePoint, type ResumePoint } from '../sdk/index.ts';

export const POINTS_TABLE = 'cdc_run_points';
/** The worker of the row that holds the claim. */
export const CLAIM = -1;

/** The table of points, over a session `S`. */
export interface Points<S> {
  /** What is stored of a lane. A table that is not there is empty; one that may not be read is an error. */
  read(session: S, lane: LaneId): Promise<Committed>;
  /** Makes the table if it is not there. */
  create(session: S): Promise<void>;
  /** Raises the epoch of the lane. Waits for a write under way: either it is stored before, or it is fenced. */
  claim(session: S, lane: LaneId, epoch: number): Promise<void>;
  /** Replaces all points of the lane. */
  replace(session: S, lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void>;
}

export interface PointRow {
  readonly [column: string]: string | null;
}

/** Of all rows of a lane, with the columns worker, epoch and point. `table`: for messages. */
export function committedOf(rows: readonly PointRow[], table: string): Committed {
  const epoch = Math.max(0, ...rows.map((r) => Number(r['epoch'])));
  const points = rows.filter((r) => Number(r['worker']) !== CLAIM).map((r) => parse(r['point'] ?? '', table));
  return points.length === 0 ? { kind: 'empty', epoch } : { kind: 'points', epoch, points };
}

function parse(text: string, table: string): ResumePoint {
  try {
    return parsePoint(text);
  } catch (cause) {
    throw new CdcError('DESTINATION_FAILED', `A point in ${table} cannot be read.`, {
      fix: 'Put the table back as it was from a backup.',
      cause,
    });
  }
}

/** A statement of ours met no row. `held`: the epoch of the row as it is now, if there is one. */
export function fenced(table: string, held: string | null | undefined, epoch: number): CdcError {
  const found =
    held == null
      ? 'holds no point of this lane'
      : Number(held) === epoch
        ? 'holds another point than this run has written'
        : `holds epoch ${held}`;
  return new CdcError('DESTINATION_FENCED', `${table} ${found}; this run has epoch ${epoch}.`, {
    fix: 'Make sure that only one process runs this pipeline, then start it again.',
  });
}
