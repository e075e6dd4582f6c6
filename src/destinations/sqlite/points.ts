// The lane's points, in a table beside the data and fenced by epoch: what makes delivery effectively-once. The calls that
// belong to a batch run inside its transaction.

import { CdcError, type Committed, formatPoint, type LaneBatch, type LaneId, parsePoint, type ResumePoint } from '../../sdk/index.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';

export const POINTS_TABLE = '_cdc_run_points';
/** The row that holds the epoch of the last claim, so that an empty destination can be claimed, too. */
const CLAIM = -1;

interface PointRow {
  readonly worker: bigint;
  readonly epoch: bigint;
  readonly point: string | null;
}

export class PointTable {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  create(): void {
    this.#db.exec(`CREATE TABLE IF NOT EXISTS ${POINTS_TABLE} (
      pipeline TEXT NOT NULL, lane TEXT NOT NULL, worker INTEGER NOT NULL, epoch INTEGER NOT NULL, point TEXT, PRIMARY KEY (pipeline, lane, worker)) WITHOUT ROWID`);
  }

  read(lane: LaneId): Committed {
    if (!this.#exists()) return { kind: 'empty', epoch: 0 };
    const rows = this.#db
      .prepare<unknown[], PointRow>(`SELECT worker, epoch, point FROM ${POINTS_TABLE} WHERE pipeline = ? AND lane = ? ORDER BY worker`)
      .all(lane.pipeline, lane.lane);
    const epoch = Math.max(0, ...rows.map((r) => Number(r.epoch)));
    const points = rows.filter((r) => Number(r.worker) !== CLAIM).map((r) => parse(r.point));
    return points.length === 0 ? { kind: 'empty', epoch } : { kind: 'points', epoch, points };
  }

  claim(lane: LaneId, epoch: number): void {
    this.#assertNoneHigher(lane, epoch);
    this.#upsert(lane, CLAIM, epoch, null);
    this.#db.prepare(`UPDATE ${POINTS_TABLE} SET epoch = ? WHERE pipeline = ? AND lane = ?`).run(BigInt(epoch), lane.pipeline, lane.lane);
  }

  replace(lane: LaneId, epoch: number, points: readonly ResumePoint[]): void {
    this.#assertNoneHigher(lane, epoch);
    this.#db.prepare(`DELETE FROM ${POINTS_TABLE} WHERE pipeline = ? AND lane = ? AND worker >= 0`).run(lane.pipeline, lane.lane);
    for (const [worker, point] of points.entries()) this.#upsert(lane, worker, epoch, formatPoint(point));
  }

  /** Inside the data transaction: the point moves only from where this run has left it, under its own epoch (invariant 2). */
  advance(lane: LaneId, epoch: number, { worker, previous, through }: LaneBatch): void {
    if (!this.#exists()) throw pointLost(lane);
    const { changes } = this.#db
      .prepare(`UPDATE ${POINTS_TABLE} SET point = ? WHERE pipeline = ? AND lane = ? AND worker = ? AND epoch = ? AND point = ?`)
      .run(formatPoint(through), lane.pipeline, lane.lane, BigInt(worker), BigInt(epoch), formatPoint(previous));
    if (changes !== 1) throw this.#holdsAny(lane) ? fenced(lane) : pointLost(lane);
  }

  #holdsAny(lane: LaneId): boolean {
    const found = this.read(lane);
    return found.kind === 'points' || (found.kind === 'empty' && found.epoch > 0);
  }

  #exists(): boolean {
    return this.#db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(POINTS_TABLE) !== undefined;
  }

  #upsert(lane: LaneId, worker: number, epoch: number, point: string | null): void {
    this.#db
      .prepare(`INSERT OR REPLACE INTO ${POINTS_TABLE} (pipeline, lane, worker, epoch, point) VALUES (?, ?, ?, ?, ?)`)
      .run(lane.pipeline, lane.lane, BigInt(worker), BigInt(epoch), point);
  }

  #assertNoneHigher(lane: LaneId, epoch: number): void {
    const found = this.read(lane);
    if (found.kind !== 'untracked' && found.epoch > epoch) throw fenced(lane);
  }
}

function parse(text: string | null): ResumePoint {
  try {
    return parsePoint(text ?? '');
  } catch (cause) {
    throw new CdcError('DESTINATION_FAILED', `A point in ${POINTS_TABLE} cannot be read.`, {
      fix: 'Put the table back as it was from a backup.',
      cause,
    });
  }
}

/** The file was emptied, or another one took its place, while we were writing. */
function pointLost(lane: LaneId): CdcError {
  return new CdcError('DESTINATION_POSITION_LOST', `the database of destination "${lane.lane}" does not hold its point any more`, {
    where: `destination "${lane.lane}"`,
    fix: 'Restore the file, or give the destination a new name so that it joins as a new one.',
  });
}

function fenced(lane: LaneId): CdcError {
  return new CdcError('DESTINATION_FENCED', `another run of pipeline "${lane.pipeline}" writes to destination "${lane.lane}"`, {
    where: `destination "${lane.lane}"`,
    fix: 'Find the other process that runs this pipeline, and stop one.',
  });
}
