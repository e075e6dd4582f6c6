// The oracle's view of one lane: what reached its destination, how often and in which order, and what excuses a gap.

import type { LaneMove } from '../../src/engine/move-points.ts';
import { type ChangeEvent, formatPoint, formatTableId, type LaneBatch, type Position, type ResumePoint } from '../../src/sdk/index.ts';
import { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import type { LaneState } from '../../src/state/store.ts';
import { type Audited, type Positions, placeText, pointText, positionsOf } from './audited.ts';
import type { LaneStore } from './destinations.ts';
import { KeyOrder, keysOf } from './key-order.ts';
import { LaneFinal } from './lane-final.ts';
import { LaneGaps } from './lane-gaps.ts';
import type { Oracle } from './oracle.ts';
import { ReplayAudit } from './replay-audit.ts';
import { kindOf } from './transformers.ts';
import type { World } from './world.ts';

export class LaneAudit {
  readonly name: string;
  /** Event id → how often, since the destination was emptied or the operator went back behind it. */
  readonly applied = new Map<string, number>();
  /** Event id → the process that brought it last. */
  readonly appliedBy = new Map<string, number>();
  readonly parked = new Set<string>();
  /** Keys of parked events that were not awaited. */
  readonly parkedUnknown = new Set<string>();
  /** Events that came from a zombie whose clock was set back: it takes its lease for valid, and nothing fences it here. */
  readonly late = new Set<string>();
  /** Keys of rows of a snapshot that came so. */
  readonly lateRows = new Set<string>();
  /** Rows of a chunk that came without the point, while a refused event of it was looked for: they may come again. */
  readonly #portions = new Set<string>();
  readonly replay: ReplayAudit;
  readonly #order: KeyOrder;
  readonly #gaps: LaneGaps;
  readonly #oracle: Oracle;
  readonly #world: World;
  /** Event → the batch in which it goes out. */
  readonly #batches = new WeakMap<ChangeEvent, LaneBatch>();
  #point: ResumePoint | null = null;
  /** The cursor that state had when an older copy was put back. */
  #stale: string | null = null;
  /** Where the copy stands that was put back, until state says something of the lane. */
  #restoredTo: Positions | null = null;
  /** One per worker. */
  #points: readonly ResumePoint[] = [];
  /** Wiped and not joined anew since. */
  #isEmpty = false;
  /** The process that moved it while its destination was away: until it has joined anew, nothing must be sent there. */
  #leftOutBy: number | null = null;
  #joinedAt: string | null = null;
  /** State knows the lane. */
  #isSaved = false;
  /** What the state says until it hears of a join that the destination has. */
  #joinedBefore: string | null = null;
  /** Its destination was told of a join that state has not heard of. */
  #isTold = false;
  #before: { readonly joinedAt: string | null; readonly leftOutBy: number | null; readonly replay: ReplayAudit['pending'] } | null = null;
  /** The operator moved it: rows and order are compared from there on only. */
  #operated = false;
  #isForced = false;

  constructor(name: string, oracle: Oracle, world: World) {
    this.name = name;
    this.#oracle = oracle;
    this.#world = world;
    this.replay = new ReplayAudit(this, oracle, world);
    this.#order = new KeyOrder(this, oracle);
    this.#gaps = new LaneGaps(world);
  }

  get store(): LaneStore {
    return this.#world.storeOf(this.name);
  }
  get holds(): boolean {
    return this.store instanceof HoldingStore;
  }
  get #shape() {
    return this.#world.lanes.find((l) => l.name === this.name);
  }
  get isDetached(): boolean {
    return this.#gaps.isDetached;
  }
  /** Emptied, and not joined anew since. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }
  get isOperated(): boolean {
    return this.#operated;
  }
  /** Asked once more to join by snapshot, it answers that it has a point already. */
  get isToldToJoin(): boolean {
    return this.#isTold;
  }
  /** Rows may be older than they are, because the operator wanted it so. */
  get isForced(): boolean {
    return this.#isForced;
  }
  get passesNothing(): boolean {
    return this.#shape?.passesNothing ?? false;
  }
  /** Keys of which something came. */
  get touched(): ReadonlySet<string> {
    return this.#order.keys();
  }

  // ---- effects -----------------------------------------------------------------------------------------------------------

  writing(batch: LaneBatch): void {
    this.replay.writing(batch);
    for (const e of batch.events) this.#batches.set(e, batch);
    // Who ran before may be late: nothing fences it where nobody could be told.
    if (this.#leftOutBy !== null && this.#world.running >= this.#leftOutBy)
      this.#oracle.fail('move half done', `${this.name} is written to, and its point was never moved`);
  }

  apply(e: ChangeEvent): void {
    const id = this.#oracle.idOf(e),
      n = (this.applied.get(id) ?? 0) + 1,
      batch = this.#batches.get(e),
      isReplay = batch !== undefined && this.replay.isReplay(batch);
    this.applied.set(id, n);
    this.appliedBy.set(id, this.#world.running);
    if (this.#world.faults.has('clock set back') && this.#world.leases.wasReplaced(`process-${this.#world.running}`)) {
      this.late.add(id);
      if (e.op === 'r') for (const key of keysOf(e)) this.lateRows.add(key);
    }
    if (isReplay) {
      this.#oracle.note('replay: event sent again');
      this.replay.sent(e);
    }
    if ((this.#shape?.workers ?? 1) > 1) this.#oracle.note(`workers: ${e.oldKey === null ? e.op : 'change of key'}`);
    const isQueue = kindOf(e.table.id.table) === 'q';
    if (this.holds && !isQueue && n > 1 && !isReplay && !this.#portions.has(id))
      this.#oracle.fail('duplicate', `${id} (${e.op}) came to ${this.name} ${n} times, which is effectively-once`);
    if (e.op === 'r' && batch !== undefined && placeText(batch.through) === placeText(batch.previous)) this.#portions.add(id);
    if (!isQueue) this.#order.check(e, n > 1 || isReplay, batch);
    const hasAll = (point: ResumePoint): boolean =>
      point.snapshots.some((s) => s.table === formatTableId(e.table.id) && s.state === 'done');
    if (this.holds && e.op === 'r' && !isReplay && this.#points.length > 0 && this.#points.every(hasAll))
      this.#oracle.fail('duplicate', `${id} came to ${this.name}, which has all rows`);
  }

  /** An event that went to the dead letter queue. */
  park(e: ChangeEvent): void {
    const id = this.#oracle.idOf(e);
    this.parked.add(id);
    // An operator may place a lane before the slot is made: then upstream sends what the oracle takes for rows of the snapshot.
    if (!this.#oracle.events.has(id) && e.op !== 'r') for (const key of keysOf(e)) this.parkedUnknown.add(key);
    this.#order.park(e);
  }
  /** What state has of its parked keys: a part of them, with the events that they wait behind. */
  parkedSaved(part: string, events: readonly string[]): void {
    this.#order.parkedSaved(part, events);
  }

  pointMoved(from: ResumePoint, to: ResumePoint): void {
    if (this.#world.tracing) this.#world.trace(`  ${this.name} stands at ${formatPoint(to)}`);
    for (const [partition, position] of Object.entries(positionsOf(from))) {
      const next = positionsOf(to)[partition];
      const isOver = next === undefined && this.#world.isClosed(partition);
      if (!isOver && (next === undefined || next < position))
        this.#oracle.fail('point went back', `${this.name}: ${formatPoint(from)} → ${formatPoint(to)}`);
    }
    for (const s of from.snapshots) {
      const next = to.snapshots.find((n) => n.source === s.source && n.table === s.table);
      if (next === undefined || (next.run === s.run && next.chunk < s.chunk))
        this.#oracle.fail('point went back', `${this.name}: snapshot of ${s.table} ${JSON.stringify(s)} → ${JSON.stringify(next)}`);
    }
  }

  /** The destination's points were replaced: a join that was asked for (also if the process dies before the state is saved), or a move. */
  pointsSet([point]: readonly ResumePoint[]): void {
    const move = this.#oracle.moveOf(this.name);
    if (point !== undefined && move !== null) {
      if (placeText(point) !== placeText({ ...move.to, log: null }))
        this.#oracle.fail('moved elsewhere', `${this.name} to ${formatPoint(point)}, announced was ${formatPoint(move.to)}`);
      this.moved(move);
      return;
    }
    if (point === undefined || !this.#world.isAsked(this.name)) return;
    this.#isTold = true;
    if (!this.#isEmpty || this.isDetached) return;
    this.#joinedBefore = this.#joinedAt;
    this.#join(point, true);
    this.#joinedAt = pointText(point);
    this.#point = point;
  }

  /** What state says of this lane has changed. */
  saved(state: LaneState): void {
    const joined = pointText(state.joinedAt),
      [point] = state.points,
      isNew = joined !== this.#joinedAt && joined !== this.#joinedBefore,
      move = this.#oracle.moveOf(this.name);
    // A command saves what was before a join that the destination has already: the next start settles that.
    if (state.joining !== undefined && !isNew && joined !== this.#joinedAt) return;
    // Of a lane that joins anew a move is left undone.
    if (isNew && move !== null && !this.#world.isAsked(this.name)) {
      this.moved(move);
      if (state.detached !== null) this.#leftOutBy = this.#world.running;
    } else if (isNew) this.#join(state.joinedAt, this.#joinedAt !== null);
    else if (point !== undefined && this.#point !== null) this.pointMoved(this.#point, point);
    this.replay.saved(state, isNew);
    if (isNew) this.#isTold = false;
    this.#joinedAt = joined;
    this.#isSaved = true;
    // A command may save the old cursor once more before the lane starts where the copy is.
    this.#point = point === undefined || placeText(point) === this.#stale ? null : point;
    if (this.#point !== null) this.#stale = null;
    this.#points = state.points;
    if (this.#gaps.stands(state.points)) this.#oracle.note('offsets: tables have been read again');
    if (state.detached !== null && !this.isDetached) {
      this.#oracle.note('detached');
      this.#operated = true;
      // Whoever was emptied, or put back, while nobody could look lacks more than the engine can know.
      this.#gaps.detached(this.#isEmpty ? {} : (this.#restoredTo ?? positionsOf(state.detached.from)));
    }
    this.#restoredTo = null;
  }

  /** A first join skips nothing, unless others were there before; a later one must have been asked for. */
  #join(at: ResumePoint, again: boolean): void {
    const asked = this.#world.isAsked(this.name);
    this.#world.rejoined.delete(this.name);
    if (!asked && again) {
      this.#oracle.fail('joined anew', `${this.name} at ${formatPoint(at)} without being asked to`);
      return;
    }
    if (!asked) return;
    this.#leftOutBy = null;
    this.#oracle.note('rejoined');
    if (this.#isEmpty && this.#shape?.start === 'snapshot') {
      this.#oracle.note('joined by snapshot');
      this.#isEmpty = false;
      this.#operated = false;
      this.#gaps.joinedBySnapshot(positionsOf(at));
      return;
    }
    this.#isEmpty = false;
    this.#operated = true;
    this.#gaps.joined(positionsOf(at));
  }

  // ---- what operators do -------------------------------------------------------------------------------------------------

  /** What was announced is due now: events to be sent again are lacking, those to be skipped are in a gap. Once per move. */
  moved(move: LaneMove): void {
    if (!this.#oracle.takesEffect(this.name)) return;
    for (const { id } of this.#gaps.moved(move, this.#oracle.events.values())) {
      if (this.applied.delete(id)) this.#oracle.note('offsets: event due again');
      this.appliedBy.delete(id);
    }
    if (move.tables.length > 0) {
      this.#oracle.note('offsets: tables read again');
      for (const id of [...this.applied.keys()]) if (!this.#oracle.events.has(id)) this.applied.delete(id);
    }
    this.#order.clear();
    this.replay.restore(null);
  }

  /** Part of it may be sent over newer rows: they are older than they are until somebody looks after them. */
  forced(): void {
    this.#isForced = true;
  }

  stateLost(): void {
    this.#before = { joinedAt: this.#joinedAt, leftOutBy: this.#leftOutBy, replay: this.replay.pending };
    this.#leftOutBy = null;
    // Which messages a lane lacks that keeps no point, only the state knew.
    if (!this.holds) this.#gaps.missesMessages();
    this.#joinedAt = null;
    this.#isSaved = false;
    this.#point = null;
    this.replay.restore(null);
  }
  stateRestored(): void {
    this.#isSaved = this.#before?.joinedAt != null;
    this.#joinedAt = this.#before?.joinedAt ?? null;
    this.#leftOutBy = this.#before?.leftOutBy ?? null;
    this.#point = null;
    this.replay.restore(this.#before?.replay ?? null);
  }

  /** The store was emptied: what it had is gone, and the operator will let it join anew. */
  wiped(): void {
    this.#isEmpty = true;
    this.#isTold = false;
    this.#gaps.wiped();
    this.applied.clear();
    this.appliedBy.clear();
    this.#order.clear();
    this.replay.undone();
    this.#operated = true;
  }

  /** Of the destination as it is now; what it returns puts that back: what came since has to come again, or the lane must stop. */
  copied(points: readonly ResumePoint[]): () => void {
    const applied = [...this.applied],
      order = this.#order.copied();
    // It, or one of its workers, has nothing yet, and gets all rows at the next start as at its first.
    const isUntouched =
      this.#shape?.start === 'snapshot' && points.some((p) => p.snapshots.length === 0 && Object.keys(positionsOf(p)).length === 0);
    const gaps = this.#gaps.copied(isUntouched && !this.#world.shape.disk),
      [isEmpty, operated] = [this.#isEmpty, this.#operated];
    const isMidReplay = this.replay.pending !== null;
    return () => {
      // Some rows are older than the point says, and nobody sends the rest of the replay again: see docs/operating.md.
      this.#isForced ||= isMidReplay;
      this.#restoredTo = oldestOf(points);
      this.applied.clear();
      this.appliedBy.clear();
      for (const [id, n] of applied) this.applied.set(id, n);
      order();
      gaps();
      this.#isEmpty = isEmpty;
      this.#operated = operated;
      // Told where it joins, and put back before state had that: its first save is a first one.
      if (!this.#isSaved) this.#joinedAt = null;
      this.#stale = this.#points[0] === undefined ? null : placeText(this.#points[0]);
      this.#point = null;
      this.replay.undone();
    };
  }

  // ---- judging -----------------------------------------------------------------------------------------------------------

  /** Why it is right that this lane does not need the event any more; `null` when it lacks it. */
  settled(e: Audited): 'destination' | 'dead letter queue' | 'gap' | 'filter' | null {
    if (this.applied.has(e.id)) return 'destination';
    if (this.parked.has(e.id)) return 'dead letter queue';
    if (this.#shape?.passesNothing) return 'filter';
    return this.inGap(e) ? 'gap' : null;
  }

  inGap(e: Audited): boolean {
    return this.#gaps.isIn(e);
  }
  wasInGap(e: Audited): boolean {
    return this.#gaps.wasIn(e);
  }
  isFilled(e: Audited): boolean {
    return this.#gaps.isFilled(e) && !this.parked.has(e.id);
  }
  /** An operator went back behind it. */
  isResent(e: Audited): boolean {
    return this.#gaps.isResent(e);
  }

  final(): void {
    new LaneFinal(this, this.#oracle, this.#world).judge();
  }
}

/** What all workers have. */
function oldestOf([first, ...rest]: readonly ResumePoint[]): Positions {
  const oldest: { [partition: string]: Position } = {};
  for (const [partition, position] of Object.entries(first === undefined ? {} : positionsOf(first))) {
    const others = rest.map((p) => positionsOf(p)[partition]);
    if (others.some((p) => p === undefined)) continue;
    oldest[partition] = others.reduce((low: Position, p) => (p !== undefined && p < low ? p : low), position);
  }
  return oldest;
}
