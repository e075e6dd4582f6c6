// What must hold while a lane sends a stretch of the log again: in order, nothing left out, no point moved, nothing from before
// the lane joined or was placed, and after a crash it goes on.

import { type ChangeEvent, formatPoint, type LaneBatch, type ResumePoint } from '../../src/sdk/index.ts';
import type { LaneState, ReplayRequest } from '../../src/state/store.ts';
import { placeText, positionsOf } from './audited.ts';
import type { LaneAudit } from './lane-audit.ts';
import type { LoggedEvent, Oracle } from './oracle.ts';
import type { World } from './world.ts';

interface Pending {
  readonly request: ReplayRequest;
  /** What the lane had been sent of the stretch. */
  readonly due: readonly LoggedEvent[];
  readonly sent: Set<string>;
}

export class ReplayAudit {
  readonly #lane: LaneAudit;
  readonly #oracle: Oracle;
  readonly #world: World;
  #pending: Pending | null = null;
  #joinedAt: ResumePoint | null = null;
  /** Process → the first record of its last write, and the place at which its lane then stood. */
  readonly #by = new Map<number, { readonly seq: number; readonly place: ResumePoint }>();

  constructor(lane: LaneAudit, oracle: Oracle, world: World) {
    this.#lane = lane;
    this.#oracle = oracle;
    this.#world = world;
  }

  get isPending(): boolean {
    return this.#pending !== null;
  }
  /** To keep with the state, or with a copy of the destination. */
  get pending(): Pending | null {
    return this.#pending;
  }
  restore(pending: Pending | null): void {
    this.#pending = pending;
    this.#by.clear();
  }

  /** Writes of a replay leave the place where it is, and have events. Portions of a live chunk do so, too. */
  isReplay({ events, through, previous }: LaneBatch): boolean {
    if (this.#pending === null || placeText(through) !== placeText(previous)) return false;
    const { applied, parked } = this.#lane,
      isOpen = (id: string): boolean => !applied.has(id) && !parked.has(id);
    return events.length > 0 && !(events.every((e) => e.op === 'r') && events.some((e) => isOpen(this.#oracle.idOf(e))));
  }

  /** A write that has events goes out while the lane has a replay. */
  writing(batch: LaneBatch): void {
    if (!this.isReplay(batch)) return;
    const by = this.#world.running,
      seqs = batch.events.map((e) => this.#oracle.seqOf(this.#oracle.idOf(e))),
      known = seqs.filter((seq) => seq !== null);
    const [first] = known,
      last = this.#by.get(by);
    if (known.some((seq, i) => i > 0 && seq < (known[i - 1] as number)) || (first !== undefined && last !== undefined && first < last.seq))
      this.#oracle.fail('replay out of order', `${this.#lane.name}: ${known.join(', ')} after ${last?.seq}`);
    if (first !== undefined) this.#by.set(by, { seq: first, place: batch.previous });
  }

  sent(e: ChangeEvent): void {
    const id = this.#oracle.idOf(e),
      request = this.#pending?.request;
    this.#pending?.sent.add(id);
    if (request === undefined || this.#joinedAt === null || !isBefore(e, this.#oracle.seqOf(id), this.#joinedAt, request.log)) return;
    this.#oracle.fail('replay from before the lane joined', `${e.id} to ${this.#lane.name}, placed at ${formatPoint(this.#joinedAt)}`);
  }

  /** The destination was emptied or put back, or the operator moved the point: what was sent is gone. */
  undone(): void {
    if (this.#pending !== null) this.#pending = { ...this.#pending, due: [] };
  }

  saved(state: LaneState, joinedAnew: boolean): void {
    this.#joinedAt = state.joinedAt;
    const pending = this.#pending,
      { replay } = state;
    if (pending === null) {
      if (replay !== null) this.#begin(replay, state);
      return;
    }
    const isOther = joinedAnew || state.detached !== null;
    if (replay === null) {
      if (!isOther) this.#ended(pending);
      this.restore(null);
      return;
    }
    this.#check(pending, replay);
    const by = this.#by.get(this.#world.running),
      [point] = state.points;
    // A checkpoint that began before the replay may be late; it brings what the lane had until then.
    if (by !== undefined && (point?.log?.seq ?? 0) > (by.place.log?.seq ?? 0))
      this.#oracle.fail('replay moved the point', `of ${this.#lane.name}: ${formatPoint(by.place)} → ${formatPoint(point as ResumePoint)}`);
    this.#pending = { ...pending, request: replay };
  }

  #begin(request: ReplayRequest, { joinedAt, points, slots }: LaneState): void {
    this.#oracle.note('replay: asked for');
    const [point] = points,
      stands = slots === undefined && point?.log?.id === request.log ? point.log.seq : 0,
      to = Math.min(request.to ?? stands, stands);
    const { tables } = request,
      first = this.#firstBehind(joinedAt, request.log);
    const due = this.#oracle
      .logged(request.log, request.from, to)
      .filter(
        ({ id, event, seq }) =>
          seq >= first &&
          this.#lane.applied.has(id) &&
          !isBefore(event, seq, joinedAt, request.log) &&
          (tables.length === 0 || tables.includes(event.table.id.table)),
      );
    this.#pending = { request, due, sent: new Set() };
    this.#by.clear();
  }

  /** What has no position, a message or a row of a snapshot, came before a place if no change behind that place was before it. */
  #firstBehind(joinedAt: ResumePoint, log: string): number {
    const from = positionsOf(joinedAt);
    if (joinedAt.log?.id === log || Object.keys(from).length === 0) return 0;
    const isBehind = ({ event: { op, partition, position, source } }: LoggedEvent): boolean => {
      const at = from[partition];
      return source === 'log' && op !== 'r' && (at === undefined || position > at);
    };
    return this.#oracle.logged(log, 1, Number.POSITIVE_INFINITY).find(isBehind)?.seq ?? Number.POSITIVE_INFINITY;
  }

  #check({ request, due, sent }: Pending, now: ReplayRequest): void {
    if (now.from !== request.from || now.to !== request.to || now.log !== request.log)
      this.#oracle.fail('replay changed', `of ${this.#lane.name}: ${JSON.stringify(request)} → ${JSON.stringify(now)}`);
    const lacking = due.find((d) => d.seq < now.next && this.#lacks(d, sent));
    if (lacking !== undefined)
      this.#oracle.fail('replay skipped', `${lacking.id} of ${this.#lane.name}, which has come to record ${now.next}`);
  }

  #ended({ due, sent }: Pending): void {
    this.#oracle.note('replay: done');
    const lacking = due.find((d) => this.#lacks(d, sent));
    if (lacking !== undefined) this.#oracle.fail('replay skipped', `${lacking.id} of ${this.#lane.name}, at its end`);
  }

  /** What is not all of a row may find none to change: something behind it has deleted that. */
  #lacks({ id, event }: LoggedEvent, sent: ReadonlySet<string>): boolean {
    return !sent.has(id) && !this.#lane.parked.has(id) && !event.incomplete;
  }
}

/** Had it come before the lane joined, or was placed there? */
function isBefore(e: ChangeEvent, seq: number | null, joinedAt: ResumePoint, log: string): boolean {
  if (joinedAt.log?.id === log) return seq !== null && seq <= joinedAt.log.seq;
  const from = positionsOf(joinedAt)[e.partition];
  return e.op !== 'r' && e.source === 'log' && from !== undefined && e.position <= from;
}
