// The lane's points as a record: what it says, and which of those in the log is the one that counts. Pure.
//
// All points of a lane are one record, so that they change in one step. The last record whose transaction was committed counts.

import { CdcError, type Committed, type LaneId, parsePoint } from '../../sdk/index.ts';
import type { FetchedRecord } from '../../systems/kafka/client.ts';

/** What is stored of a lane: its epoch, and the canonical text of each worker's point. */
export interface StoredPoints {
  readonly epoch: number;
  readonly points: readonly string[];
}

export const NO_POINTS: StoredPoints = { epoch: 0, points: [] };

export const pointKey = ({ pipeline, lane }: LaneId): Buffer => Buffer.from(JSON.stringify([pipeline, lane]));
export const pointValue = ({ epoch, points }: StoredPoints): Buffer => Buffer.from(JSON.stringify({ epoch, points }));

/** `topic`: for messages. */
export function parsePoints(value: Buffer | null, topic: string): StoredPoints {
  try {
    const { epoch, points } = JSON.parse(value?.toString() ?? '') as { epoch: unknown; points: unknown };
    if (typeof epoch !== 'number' || !Array.isArray(points)) throw new TypeError('no epoch or no points');
    for (const point of points as string[]) parsePoint(point);
    return { epoch, points: points as string[] };
  } catch (cause) {
    throw new CdcError('DESTINATION_FAILED', `A point in topic "${topic}" cannot be read.`, {
      fix: 'Remove the topic, and let the destination join anew.',
      cause,
    });
  }
}

export function committedOf({ epoch, points }: StoredPoints): Committed {
  return points.length === 0 ? { kind: 'empty', epoch } : { kind: 'points', epoch, points: points.map(parsePoint) };
}

/** The last record of the lane among those that were committed. */
export class PointScan {
  readonly #key: Buffer;
  #value: Buffer | null = null;
  #found = false;

  constructor(key: Buffer) {
    this.#key = key;
  }

  get found(): boolean {
    return this.#found;
  }
  get value(): Buffer | null {
    return this.#value;
  }

  add(records: readonly FetchedRecord[]): void {
    for (const { key, value } of records) {
      if (key?.equals(this.#key) !== true) continue;
      this.#value = value;
      this.#found = true;
    }
  }
}
