// The last look at a lane, after the drain: are the rows of its destination those of the source, did records first arrive in
// order, is every input of a window counted once.

import type { ChangeEvent, Row } from '../../src/sdk/index.ts';
import { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import { WINDOWS } from '../../src/sdk/testing/fakes/window.ts';
import type { Audited } from './audited.ts';
import type { LaneAudit } from './lane-audit.ts';
import type { Oracle } from './oracle.ts';
import { kindOf } from './transformers.ts';
import { WindowedStore } from './windowed.ts';
import type { World } from './world.ts';

export class LaneFinal {
  readonly #lane: LaneAudit;
  readonly #oracle: Oracle;
  readonly #world: World;

  constructor(lane: LaneAudit, oracle: Oracle, world: World) {
    this.#lane = lane;
    this.#oracle = oracle;
    this.#world = world;
  }

  judge(): void {
    const { isDetached, isOperated, store } = this.#lane,
      { shape } = this.#world;
    if (isDetached) return;
    if (this.#lane.passesNothing) {
      if (this.#lane.applied.size > 0) this.#oracle.fail('filtered', `${this.#lane.name} got ${[...this.#lane.applied.keys()].join(', ')}`);
      return;
    }
    const tainted = this.#tainted();
    if (shape.windows) this.#windows();
    // Who joins in the middle of a snapshot lacks the rows before: the operator has accepted that.
    if ((isOperated && shape.snapshot) || this.#lane.isForced) return;
    if (store instanceof WindowedStore) this.#lastArrivals(store.records.map((r) => r.event));
    else if (store instanceof HoldingStore || store.records.length === 0) this.#compareRows(store.rows, tainted);
    else if (!isOperated) this.#firstArrivals(store.records.map((r) => r.event));
  }

  /** Rows that must not be compared: an event about them went elsewhere, or what is not all of a row was sent over a newer one. */
  #tainted(): Set<string> {
    const lane = this.#lane,
      tainted = new Set([...lane.parkedUnknown, ...(lane.holds ? [] : lane.lateRows)]);
    const inOrder = [...this.#oracle.events.values()].sort((a, b) => (a.place < b.place ? -1 : 1));
    for (const e of inOrder) {
      // What came again where nothing keeps the place may have been refused that time: of the row it needs something newer was there.
      const wasRefusedAgain = !lane.holds && lane.parked.has(e.id);
      const misses = !lane.isFilled(e) && (lane.settled(e) !== 'destination' || lane.inGap(e) || wasRefusedAgain);
      const isOver = e.incomplete && (lane.isResent(e) || e.keys.some((k) => tainted.has(k)));
      if (!misses && !isOver && !this.#isLate(e)) continue;
      for (const k of e.op === 't' ? this.#keysOf(e.table) : e.keys) tainted.add(k);
    }
    return tainted;
  }
  /** A zombie's write where nothing can fence it. */
  #isLate(e: Audited): boolean {
    return !this.#lane.holds && this.#lane.late.has(e.id);
  }
  /** Those of rows that were there before the stream began, too. */
  #keysOf(table: string): string[] {
    const { store } = this.#lane;
    const held = store instanceof WindowedStore ? [] : [...store.rows.keys()].filter((k) => k.startsWith(`${table}/`));
    return [...[...this.#oracle.events.values()].filter((e) => e.table === table).flatMap((e) => e.keys), ...held];
  }

  /** Invariants 3 and 6: no row lost, none resurrected, no old value. */
  #compareRows(rows: ReadonlyMap<string, Row>, tainted: ReadonlySet<string>): void {
    const truth = this.#world.log.rows,
      { isOperated, name, touched } = this.#lane,
      { shape } = this.#world;
    const isMine = (key: string): boolean => {
      const kind = kindOf(key);
      if (kind === 'd' ? shape.filters : kind === 'b' ? shape.windows : kind !== 'a') return false;
      return !tainted.has(key) && (!isOperated || touched.has(key));
    };
    for (const key of new Set([...truth.keys(), ...rows.keys()])) {
      if (!isMine(key)) continue;
      const wanted = truth.get(key),
        got = rows.get(key);
      if (wanted === undefined) this.#oracle.fail('resurrected', `${key} is deleted at the source and present in ${name}`);
      else if (got === undefined || JSON.stringify(wanted) !== JSON.stringify(got))
        this.#oracle.fail('different', `${key} is ${JSON.stringify(wanted)} at the source and ${JSON.stringify(got)} in ${name}`);
    }
  }

  /** Of a stream: not messages of a queue, nor what was parked. */
  #ordered(events: readonly ChangeEvent[]): Audited[] {
    return events.flatMap((e) => {
      const audited = this.#oracle.events.get(e.id);
      return audited === undefined || audited.partition === null || this.#lane.parked.has(e.id) ? [] : [audited];
    });
  }

  /** Where records are appended, events of one key first arrive in order. */
  #firstArrivals(events: readonly ChangeEvent[]): void {
    const seen = new Map<string, string>(),
      ids = new Set<string>();
    for (const e of this.#ordered(events)) {
      const { id, keys, place } = e;
      // What an operator skipped first comes when one goes back behind it.
      if (ids.has(id) || this.#lane.wasInGap(e)) continue;
      ids.add(id);
      for (const key of keys) {
        const last = seen.get(key);
        if (last !== undefined && last > place) this.#oracle.fail('order', `${id} first came to ${this.#lane.name} after ${last}`);
        seen.set(key, place);
      }
    }
  }

  /** Where a later one may be stored although an earlier one failed: who reads to the end has each key's events in order all the same. */
  #lastArrivals(events: readonly ChangeEvent[]): void {
    // What an operator skipped may have been on its way.
    const ordered = this.#ordered(events).filter((e) => !this.#lane.wasInGap(e) && !this.#isLate(e));
    const lastAt = new Map(ordered.map(({ id }, i) => [id, i])),
      seen = new Map<string, string>();
    for (const [i, { id, keys, place }] of ordered.entries()) {
      if (lastAt.get(id) !== i) continue;
      for (const key of keys) {
        const last = seen.get(key);
        if (last !== undefined && last > place) this.#oracle.fail('order', `${id} last came to ${this.#lane.name} after ${last}`);
        seen.set(key, place);
      }
    }
  }

  /** Every input that a window took is in one output, once, or still held. */
  #windows(): void {
    const { name, parked, store, isOperated } = this.#lane,
      outputs = new Map<string, string>();
    const rows =
      store instanceof HoldingStore || store.records.length === 0
        ? [...store.rows].filter(([k]) => k.startsWith(`${WINDOWS.id.table}/`)).map(([, row]) => row)
        : store.records.filter((r) => r.event.table.id.table === WINDOWS.id.table).map((r) => r.event.after as Row);
    for (const row of rows) outputs.set(String(row['id']), String(row['ids']));
    const counted = [...outputs.values()].flatMap((ids) => ids.split(',')),
      found = new Set(counted),
      held = this.#world.heldInWindows();
    if (counted.length !== found.size) this.#oracle.fail('duplicate', `an input is in two windows of ${name}`);
    if (isOperated || parked.size > 0) return;
    for (const e of this.#oracle.events.values()) {
      if (e.fate === 'held' && !found.has(e.id) && !held.has(e.id) && !this.#lane.inGap(e))
        this.#oracle.fail('lost', `${e.id} was taken into a window and is not in ${name}`);
    }
  }
}
