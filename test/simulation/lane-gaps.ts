// What excuses that a lane lacks some events: gaps that operators have accepted, rows that were read anew, messages that a queue has
// forgotten; and what operators had sent again.

import type { LaneMove } from '../../src/engine/move-points.ts';
import type { Position, ResumePoint } from '../../src/sdk/index.ts';
import { type Audited, END, type Gap, isIn, type Positions, positionsOf } from './audited.ts';
import type { World } from './world.ts';

export class LaneGaps {
  readonly #world: World;
  #gaps: Gap[] = [];
  /** What the operator had sent again. */
  #resent: Gap[] = [];
  /** Messages of the queue published before this were missed while the lane was detached or lost. */
  #queueUpTo = 0;
  /** The gap whose rows are being read, and of which tables. */
  #filling: { readonly gap: Gap; readonly tables: readonly string[] } | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  get isDetached(): boolean {
    return this.#gaps.some((g) => g.to === null);
  }

  detached(from: Positions): void {
    this.#gaps.push({ from, to: null });
  }

  /** An emptied lane begins anew with all rows. */
  joinedBySnapshot(at: Positions): void {
    this.#gaps = [{ from: {}, to: { ...this.#world.log.acknowledged(), ...at, ...this.#goneUpstream() }, isFilled: true }];
  }

  /** It goes on with what comes behind this place. */
  joined(at: Positions): void {
    // What is gone upstream cannot come again, wherever the lane joins.
    const to = { ...at, ...this.#goneUpstream() };
    this.missesMessages();
    if (this.isDetached) this.#gaps = this.#gaps.map((g) => (g.to === null ? { ...g, to } : g));
    else this.#gaps.push({ from: {}, to });
  }

  /** No queue delivers again what it has forgotten. */
  missesMessages(): void {
    this.#queueUpTo = this.#world.messages;
  }

  /** What it had is gone. */
  wiped(): void {
    this.missesMessages();
    this.#gaps = this.#gaps.map((g) => (g.to === null ? { from: {}, to: null } : g));
    this.#gaps.push({ from: {}, to: this.#goneUpstream() });
  }

  /** As it is now; what it returns brings that back. `startsAnew`: it has nothing yet, and gets all rows as at its first start. */
  copied(startsAnew: boolean): () => void {
    const gaps = this.#gaps.slice(),
      queueUpTo = this.#queueUpTo;
    return () => {
      this.#gaps = gaps.slice();
      this.#queueUpTo = queueUpTo;
      const gone = this.#goneUpstream();
      // A partition that upstream has dropped does not come again, and no source could tell.
      if (!this.#world.shape.disk) this.#gaps.push({ from: {}, to: gone });
      if (startsAnew) this.#gaps.push({ from: {}, to: { ...this.#world.log.acknowledged(), ...gone }, isFilled: true });
    };
  }

  /** Returns the events that are due again. */
  moved(move: LaneMove, events: Iterable<Audited>): Audited[] {
    const again = between(move, 'again'),
      gone = this.#goneUpstream();
    this.#gaps.push({ ...again, isDue: true });
    if (move.tables.length > 0) this.#readAgain(move.tables, again);
    // A partition that upstream has dropped does not come again, and nothing there could tell the operator.
    this.#gaps.push(between(move, 'skips'), { from: {}, to: gone });
    this.#resent.push(again);
    const canCome = ({ id, partition }: Audited): boolean => !((partition ?? '') in gone) || this.#world.oracle.log.isLogged(id);
    const isDue = (e: Audited): boolean =>
      e.partition !== null && again.to !== null && e.partition in again.to && isIn(again, e) && canCome(e);
    return [...events].filter(isDue);
  }

  /** The rows are read anew, and with them come all changes until then. What is skipped after that is not in them. */
  #readAgain(tables: readonly string[], { from }: Gap): void {
    const { partitions } = this.#world.log;
    const gap: Gap = { from, to: Object.fromEntries([...partitions.keys()].map((name) => [name, END])), isFilled: true, keepsRows: true };
    this.#gaps.push(gap);
    this.#filling = { gap, tables };
  }

  /** Where the lane stands. Once it has all rows, what comes next must come by itself. `true`: then. */
  stands(points: readonly ResumePoint[]): boolean {
    if (this.#filling === null || points.length === 0) return false;
    const { gap, tables } = this.#filling;
    const hasAll = ({ snapshots }: ResumePoint): boolean =>
      tables.every((t) => snapshots.some((s) => `${s.source}: ${s.table}` === t && s.state === 'done'));
    if (!points.every(hasAll)) return false;
    this.#filling = null;
    const to: { [partition: string]: Position } = {};
    for (const [partition, position] of points.flatMap((point) => Object.entries(positionsOf(point))))
      if (position > (to[partition] ?? '')) to[partition] = position;
    this.#gaps = this.#gaps.map((g) => (g === gap ? { ...g, to } : g));
    return true;
  }

  isIn(e: Audited): boolean {
    if (e.partition === null) return this.isDetached || Number(e.id.split('#')[1]) <= this.#queueUpTo;
    const last = this.#gaps.findLast((gap) => isIn(gap, e));
    return last !== undefined && !last.isDue;
  }
  /** Also when an operator has gone back behind it since. */
  wasIn(e: Audited): boolean {
    return e.partition === null ? this.isIn(e) : this.#gaps.some((gap) => !gap.isDue && isIn(gap, e));
  }
  isFilled(e: Audited): boolean {
    if (e.partition === null) return false;
    const removes = e.op === 'd' || e.op === 't' || e.keys.length > 1;
    const isDecided = (gap: Gap): boolean => isIn(gap, e) && !(removes && gap.keepsRows === true);
    if (this.#gaps.findLast((gap) => isIn(gap, e))?.isFilled !== true) return false;
    const last = this.#gaps.findLast(isDecided);
    return last === undefined || last.isFilled === true || last.isDue === true;
  }
  /** An operator went back behind it. */
  isResent(e: Audited): boolean {
    return this.#resent.some((gap) => isIn(gap, e));
  }

  #goneUpstream(): Positions {
    return Object.fromEntries(this.#world.gonePartitions().map((name) => [name, END]));
  }
}

function between({ partitions }: LaneMove, effect: 'again' | 'skips'): Gap {
  const parts = partitions.filter((p) => p.source === 'log' && p.effect === effect),
    side = (p: (typeof parts)[number], back: boolean): [string, Position] => [p.partition, ((back ? p.to : p.from) ?? '') as Position];
  const again = effect === 'again';
  return { from: Object.fromEntries(parts.map((p) => side(p, again))), to: Object.fromEntries(parts.map((p) => side(p, !again))) };
}
