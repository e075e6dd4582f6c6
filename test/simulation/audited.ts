// What the oracle knows of an event, and of the gaps that excuse that a lane lacks some.

import { formatPoint, type Position, type ResumePoint } from '../../src/sdk/index.ts';

/** An event that must end somewhere. `partition` is `null` for messages of a queue. */
export interface Audited {
  readonly id: string;
  readonly partition: string | null;
  readonly position: Position;
  /** Position and number among the derived events, sortable. */
  readonly place: string;
  readonly table: string;
  readonly op: string;
  /** `table/key` of the rows it touches: the old key first. */
  readonly keys: readonly string[];
  readonly incomplete: boolean;
  readonly fate: 'sent' | 'filtered' | 'held' | 'rejected';
  readonly input: string | null;
}

/** After every position. */
export const END = '~' as Position;
export type Positions = { readonly [partition: string]: Position };
export const positionsOf = (point: Pick<ResumePoint, 'sources'>): Positions => point.sources['log'] ?? {};

/** Between `from` and `to` the operator accepted a gap; `to: null` while the lane is detached. */
export interface Gap {
  readonly from: Positions;
  readonly to: Positions | null;
  /** The rows came as they were at its end. */
  readonly isFilled?: true;
  /** The rows came beside those that were there: what was deleted in an earlier gap is still there. */
  readonly keepsRows?: true;
  /** Not a gap: the operator went back, and what was a gap before is to come. */
  readonly isDue?: true;
}

export const isIn = ({ from, to }: Gap, { partition, position }: Audited): boolean =>
  position > (from[partition ?? ''] ?? '') && (to === null || position <= (to[partition ?? ''] ?? ''));

/** The beginning of a source is written with and without its name. */
export function pointText(point: ResumePoint): string {
  const sources = Object.entries(point.sources).filter(([, positions]) => Object.keys(positions).length > 0);
  return formatPoint({ ...point, sources: Object.fromEntries(sources) });
}
/** Without epoch: the same place under another epoch is the same. */
export const placeText = (point: ResumePoint): string => pointText({ ...point, epoch: 0 });
