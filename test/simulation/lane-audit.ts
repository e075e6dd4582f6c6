// The oracle's view of one lane: what reached its destination, how often and in which order, what excuses a gap, and whether
// the rows are right in the end.

import { type ChangeEvent, formatPoint, formatTableId, type Position, type ResumePoint, type Row } from '../../src/sdk/index.ts';
import { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import { rowKey } from '../../src/sdk/testing/fakes/rows.ts';
import { WINDOWS } from '../../src/sdk/testing/fakes/window.ts';
import type { LaneState } from '../../src/state/store.ts';
import type { Oracle } from './oracle.ts';
import { kindOf } from './transformers.ts';
import type { World } from './world.ts';

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
const END = '~' as Position;
type Positions = { readonly [partition: string]: Position };
const positionsOf = (point: ResumePoint): Positions => point.sources['log'] ?? {};

/** Between `from` and `to` the operator accepted a gap; `to: null` while the lane is detached. */
interface Gap {
  readonly from: Positions;
  to: Positions | null;
  /** The rows came as they were at its end. */
  readonly isFilled?: true;
}

/** Those that the engine can know: without a before image no old key. */
const keysOf = (e: ChangeEvent): string[] => [e.oldKey, e.key].flatMap((key) => (key === null ? [] : [rowKey(e.table.id.table, key)]));

const isIn = ({ from, to }: Gap, { partition, position }: Audited): boolean =>
  position > (from[partition ?? ''] ?? '') && (to === null || position <= (to[partition ?? ''] ?? ''));

export class LaneAudit {
  readonly name: string;
  /** Event id → how often. */
  readonly applied = new Map<string, number>();
  /** Event id → the process that brought it last. */
  readonly appliedBy = new Map<string, number>();
  readonly parked = new Set<string>();
  /** Key → place of the first event that this destination refused, until the table is emptied. */
  readonly #parkedKeys = new Map<string, string>();
  readonly #oracle: Oracle;
  readonly #world: World;
  #gaps: Gap[] = [];
  /** Messages of the queue published before this were missed while the lane was detached or lost. */
  #queueUpTo = 0;
  #point: ResumePoint | null = null;
  /** One per worker. */
  #points: readonly ResumePoint[] = [];
  /** Wiped and not joined anew since. */
  #isEmpty = false;
  #joinedAt: string | null = null;
  /** What the state says until it hears of a join that the destination has. */
  #joinedBefore: string | null = null;
  #before: { readonly joinedAt: string | null } | null = null;
  /** The operator moved it: rows and order are compared from there on only. */
  #operated = false;
  /** Per key the last place: for ever where the point is held, else per process. */
  readonly #order = new Map<number, Map<string, string>>();

  constructor(name: string, oracle: Oracle, world: World) {
    this.name = name;
    this.#oracle = oracle;
    this.#world = world;
  }

  get #store() {
    return this.#world.storeOf(this.name);
  }
  get #holds(): boolean {
    return this.#store instanceof HoldingStore;
  }
  get #start(): 'snapshot' | 'now' | undefined {
    return this.#world.lanes.find((l) => l.name === this.name)?.start;
  }
  get isDetached(): boolean {
    return this.#gaps.some((g) => g.to === null);
  }

  // ---- effects -----------------------------------------------------------------------------------------------------------

  apply(e: ChangeEvent): void {
    const id = this.#oracle.idOf(e),
      n = (this.applied.get(id) ?? 0) + 1;
    this.applied.set(id, n);
    this.appliedBy.set(id, this.#world.running);
    const isQueue = kindOf(e.table.id.table) === 'q';
    if (this.#holds && !isQueue && n > 1)
      this.#oracle.fail('duplicate', `${id} (${e.op}) came to ${this.name} ${n} times, which is effectively-once`);
    if (!isQueue) {
      this.#checkOrder(e, n > 1);
      this.#checkParked(e);
    }
    const hasAll = (point: ResumePoint): boolean =>
      point.snapshots.some((s) => s.table === formatTableId(e.table.id) && s.state === 'done');
    if (this.#holds && e.op === 'r' && this.#points.length > 0 && this.#points.every(hasAll))
      this.#oracle.fail('duplicate', `${id} came to ${this.name}, which has all rows`);
  }

  /** An event that went to the dead letter queue. */
  park(e: ChangeEvent): void {
    this.parked.add(this.#oracle.idOf(e));
    const audited = this.#oracle.events.get(e.id);
    if (audited === undefined || audited.partition === null) return;
    for (const key of keysOf(e)) if (!this.#parkedKeys.has(key)) this.#parkedKeys.set(key, audited.place);
  }

  /** Nothing overtakes a parked event of its key, unless what is parked was forgotten. */
  #checkParked(e: ChangeEvent): void {
    const audited = this.#oracle.events.get(e.id);
    if (this.#operated || this.#oracle.forgetful || audited === undefined) return;
    if (e.op === 't') for (const key of this.#parkedKeys.keys()) if (key.startsWith(`${e.table.id.table}/`)) this.#parkedKeys.delete(key);
    if (e.op === 'r' || e.op === 't') return;
    for (const key of keysOf(e)) {
      const place = this.#parkedKeys.get(key);
      if (place !== undefined && place < audited.place)
        this.#oracle.fail('overtaken', `${e.id} came to ${this.name} before ${place} of ${key}, which is parked`);
    }
  }

  /** Where nothing can be undone a batch may be written twice: a repeat begins again at its place. */
  #checkOrder(e: ChangeEvent, isRepeat: boolean): void {
    const owner = this.#holds ? 0 : this.#world.running,
      table = e.table.id.table;
    let seen = this.#order.get(owner);
    if (seen === undefined) {
      seen = new Map<string, string>();
      this.#order.set(owner, seen);
    }
    // A snapshot row is as new as the place of the stream where it was read.
    const place = e.op === 'r' ? (e.position.split('r')[0] as string) : `${e.position}.${e.derived}`;
    const keys =
      e.op === 't'
        ? [...seen.keys()].filter((k) => k.startsWith(`${table}/`))
        : [e.oldKey, e.key].flatMap((k) => (k === null ? [] : [`${table}/${Object.values(k).join('/')}`]));
    for (const key of keys) {
      const last = seen.get(key);
      if (!isRepeat && last !== undefined && last > place && !(e.op === 'r' && last.startsWith(place)))
        this.#oracle.fail('order', `${e.id} (${e.op} ${key}) came to ${this.name} after ${last}`);
      if (last === undefined || last < place || isRepeat) seen.set(key, place);
    }
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

  /** A destination that was emptied has a first point again: it joins there, also if the process dies before the state is saved. */
  pointsSet([point]: readonly ResumePoint[]): void {
    if (point === undefined || !this.#isEmpty || this.isDetached || !this.#world.isAsked(this.name)) return;
    this.#joinedBefore = this.#joinedAt;
    this.#join(point, true);
    this.#joinedAt = formatPoint(point);
    this.#point = point;
  }

  /** What state says of this lane has changed. */
  saved(state: LaneState): void {
    const joined = formatPoint(state.joinedAt),
      [point] = state.points;
    if (joined !== this.#joinedAt && joined !== this.#joinedBefore) this.#join(state.joinedAt, this.#joinedAt !== null);
    else if (point !== undefined && this.#point !== null) this.pointMoved(this.#point, point);
    this.#joinedAt = joined;
    this.#point = point ?? null;
    this.#points = state.points;
    if (state.detached !== null && !this.isDetached) {
      this.#oracle.note('detached');
      this.#operated = true;
      // Whoever was emptied while nobody could look lacks more than the engine can know.
      this.#gaps.push({ from: this.#isEmpty ? {} : positionsOf(state.detached.from), to: null });
    }
  }

  /** A first join skips nothing, unless others were there before; a later one must have been asked for. */
  #join(at: ResumePoint, again: boolean): void {
    // What is gone upstream cannot come again, wherever the lane joins.
    const to = { ...positionsOf(at), ...this.#goneUpstream() },
      asked = this.#world.isAsked(this.name);
    this.#world.rejoined.delete(this.name);
    if (!asked && again) {
      this.#oracle.fail('joined anew', `${this.name} at ${formatPoint(at)} without being asked to`);
      return;
    }
    if (!asked) return;
    this.#oracle.note('rejoined');
    if (this.#isEmpty && this.#start === 'snapshot') {
      this.#oracle.note('joined by snapshot');
      this.#isEmpty = false;
      this.#operated = false;
      this.#gaps = [{ from: {}, to: { ...this.#world.log.acknowledged(), ...to }, isFilled: true }];
      return;
    }
    this.#isEmpty = false;
    this.#operated = true;
    this.#queueUpTo = this.#world.messages;
    const open = this.#gaps.find((g) => g.to === null);
    if (open !== undefined) open.to = to;
    else this.#gaps.push({ from: {}, to });
  }

  #goneUpstream(): Positions {
    return Object.fromEntries(this.#world.gonePartitions().map((name) => [name, END]));
  }

  stateLost(): void {
    this.#before = { joinedAt: this.#joinedAt };
    // Which messages a lane lacks that keeps no point, only the state knew.
    if (!this.#holds) this.#queueUpTo = this.#world.messages;
    this.#joinedAt = null;
    this.#point = null;
  }
  stateRestored(): void {
    this.#joinedAt = this.#before?.joinedAt ?? null;
    this.#point = null;
  }

  /** The store was emptied: what it had is gone, and the operator will let it join anew. No queue delivers again what it has forgotten. */
  wiped(): void {
    this.#isEmpty = true;
    this.#queueUpTo = this.#world.messages;
    this.#gaps = this.#gaps.map((g) => (g.to === null ? { from: {}, to: null } : g));
    this.#gaps.push({ from: {}, to: this.#goneUpstream() });
    this.applied.clear();
    this.appliedBy.clear();
    this.#order.clear();
    this.#operated = true;
  }

  // ---- judging -----------------------------------------------------------------------------------------------------------

  /** Why it is right that this lane does not need the event any more; `null` when it lacks it. */
  settled(e: Audited): 'destination' | 'dead letter queue' | 'gap' | null {
    if (this.applied.has(e.id)) return 'destination';
    if (this.parked.has(e.id)) return 'dead letter queue';
    return this.inGap(e) ? 'gap' : null;
  }

  inGap(e: Audited): boolean {
    if (e.partition === null) return this.isDetached || Number(e.id.split('#')[1]) <= this.#queueUpTo;
    return this.#gaps.some((gap) => isIn(gap, e));
  }
  #isFilled(e: Audited): boolean {
    return e.partition !== null && this.#gaps.some((gap) => gap.isFilled && isIn(gap, e)) && !this.parked.has(e.id);
  }

  final(): void {
    if (this.isDetached) return;
    const tainted = this.#tainted();
    if (this.#world.shape.windows) this.#windows();
    const store = this.#store;
    // Who joins in the middle of a snapshot lacks the rows before: the operator has accepted that.
    if (this.#operated && this.#world.shape.snapshot) return;
    if (store instanceof HoldingStore || store.records.length === 0) this.#compareRows(store.rows, tainted);
    else if (!this.#operated) this.#firstArrivals(store.records.map((r) => r.event));
  }

  /** Rows that must not be compared: an event about them went elsewhere. */
  #tainted(): Set<string> {
    const tainted = new Set<string>();
    const inOrder = [...this.#oracle.events.values()].sort((a, b) => (a.place < b.place ? -1 : 1));
    for (const e of inOrder) {
      const misses = !this.#isFilled(e) && (this.settled(e) !== 'destination' || this.inGap(e));
      if (!misses && !(e.incomplete && e.keys.some((k) => tainted.has(k)))) continue;
      for (const k of e.op === 't' ? this.#keysOf(e.table) : e.keys) tainted.add(k);
    }
    return tainted;
  }
  #keysOf(table: string): string[] {
    return [...this.#oracle.events.values()].filter((e) => e.table === table).flatMap((e) => e.keys);
  }

  /** Invariants 3 and 6: no row lost, none resurrected, no old value. */
  #compareRows(rows: ReadonlyMap<string, Row>, tainted: ReadonlySet<string>): void {
    const truth = this.#world.log.rows,
      { shape } = this.#world;
    const touched = new Set([...this.#order.values()].flatMap((m) => [...m.keys()]));
    const isMine = (key: string): boolean => {
      const kind = kindOf(key);
      if (kind === 'd' ? shape.filters : kind === 'b' ? shape.windows : kind !== 'a') return false;
      return !tainted.has(key) && (!this.#operated || touched.has(key));
    };
    for (const key of new Set([...truth.keys(), ...rows.keys()])) {
      if (!isMine(key)) continue;
      const wanted = truth.get(key),
        got = rows.get(key);
      if (wanted === undefined) this.#oracle.fail('resurrected', `${key} is deleted at the source and present in ${this.name}`);
      else if (got === undefined || JSON.stringify(wanted) !== JSON.stringify(got)) {
        this.#oracle.fail('different', `${key} is ${JSON.stringify(wanted)} at the source and ${JSON.stringify(got)} in ${this.name}`);
      }
    }
  }

  /** Where records are appended, events of one key first arrive in order. */
  #firstArrivals(events: readonly ChangeEvent[]): void {
    const seen = new Map<string, string>(),
      ids = new Set<string>();
    for (const e of events) {
      const audited = this.#oracle.events.get(e.id);
      if (audited === undefined || audited.partition === null || ids.has(e.id) || this.parked.has(e.id)) continue;
      ids.add(e.id);
      for (const key of audited.keys) {
        const last = seen.get(key);
        if (last !== undefined && last > audited.place) this.#oracle.fail('order', `${e.id} first came to ${this.name} after ${last}`);
        seen.set(key, audited.place);
      }
    }
  }

  /** Every input that a window took is in one output, once, or still held. */
  #windows(): void {
    const store = this.#store,
      outputs = new Map<string, string>();
    const rows =
      store instanceof HoldingStore || store.records.length === 0
        ? [...store.rows].filter(([k]) => k.startsWith(`${WINDOWS.id.table}/`)).map(([, row]) => row)
        : store.records.filter((r) => r.event.table.id.table === WINDOWS.id.table).map((r) => r.event.after as Row);
    for (const row of rows) outputs.set(String(row['id']), String(row['ids']));
    const counted = [...outputs.values()].flatMap((ids) => ids.split(',')),
      found = new Set(counted),
      held = this.#world.heldInWindows();
    if (counted.length !== found.size) this.#oracle.fail('duplicate', `an input is in two windows of ${this.name}`);
    if (this.#operated || this.parked.size > 0) return;
    for (const e of this.#oracle.events.values()) {
      if (e.fate === 'held' && !found.has(e.id) && !held.has(e.id))
        this.#oracle.fail('lost', `${e.id} was taken into a window and is not in ${this.name}`);
    }
  }
}
