// The lane's points as a message: what it says, and how events are known again that were stored before their point was. Pure.
//
// An atomic batch has at most 1,000 messages. A larger batch is stored in parts, and each part's message says which events are
// stored already although the point has not moved: they are left out when the batch comes again, in whatever portions.

import { createHash } from 'node:crypto';
import { CdcError, type Committed, type LaneId, parsePoint, type ResumePoint } from '../../sdk/index.ts';
import { exactToken, POINTS_PREFIX } from '../../systems/nats/subject.ts';

export interface StoredPoints {
  readonly epoch: number;
  /** The canonical text of each worker's point. */
  readonly points: readonly string[];
  /** Marks of events behind their worker's point that are stored already. */
  readonly ahead: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();
export const NO_POINTS: StoredPoints = { epoch: 0, points: [], ahead: NONE };

export const pointSubject = ({ pipeline, lane }: LaneId): string => `${POINTS_PREFIX}.${exactToken(pipeline)}.${exactToken(lane)}`;

/** Nine bytes: among thousands of events two with the same mark are not to be expected. */
export const markOf = (eventId: string): string => createHash('sha1').update(eventId).digest('base64').slice(0, 12);

export function formatPoints({ epoch, points, ahead }: StoredPoints): Buffer {
  return Buffer.from(JSON.stringify({ epoch, points, ...(ahead.size === 0 ? {} : { ahead: [...ahead].join('') }) }));
}

/** `subject`: for messages. */
export function parsePoints(data: Uint8Array, subject: string): StoredPoints {
  try {
    const { epoch, points, ahead = '' } = JSON.parse(Buffer.from(data).toString()) as { epoch: unknown; points: unknown; ahead?: string };
    if (typeof epoch !== 'number' || !Array.isArray(points)) throw new TypeError('no epoch or no points');
    for (const point of points as string[]) parsePoint(point);
    return { epoch, points: points as string[], ahead: new Set(ahead.match(/.{12}/g) ?? []) };
  } catch (cause) {
    throw new CdcError('DESTINATION_FAILED', `The point in the subject "${subject}" cannot be read.`, {
      fix: 'Purge the subject, and let the destination join anew.',
      cause,
    });
  }
}

export function committedOf({ epoch, points }: StoredPoints): Committed {
  return points.length === 0 ? { kind: 'empty', epoch } : { kind: 'points', epoch, points: points.map(parsePoint) };
}

/** Do both lists say the same places? Their epochs change with each start. */
export function isSamePlace(a: readonly string[], b: readonly ResumePoint[]): boolean {
  const placeOf = ({ epoch: _, ...place }: ResumePoint): string => JSON.stringify(place);
  return a.length === b.length && a.every((text, i) => placeOf(parsePoint(text)) === placeOf(b[i] as ResumePoint));
}
