// Order per key at one destination (invariant 4): for ever where the point is held, else within a process; and nothing overtakes
// a parked event of its key.

import type { ChangeEvent } from '../../src/sdk/index.ts';
import { rowKey } from '../../src/sdk/testing/fakes/rows.ts';
import type { Audited } from './audited.ts';
import type { LaneAudit } from './lane-audit.ts';
import type { Oracle } from './oracle.ts';
import { WindowedStore } from './windowed.ts';

/** Those that the engine can know: without a before image no old key. */
export const keysOf = (e: ChangeEvent): string[] =>
  [e.oldKey, e.key].flatMap((key) => (key === null ? [] : [rowKey(e.table.id.table, key)]));

export class KeyOrder {
  readonly #lane: LaneAudit;
  readonly #oracle: Oracle;
  /** Process → key → the last place. */
  readonly #seen = new Map<number, Map<string, string>>();
  /** Key → the first event that this destination refused, until the table is emptied. */
  readonly #parked = new Map<string, Audited>();

  constructor(lane: LaneAudit, oracle: Oracle) {
    this.#lane = lane;
    this.#oracle = oracle;
  }

  keys(): ReadonlySet<string> {
    return new Set([...this.#seen.values()].flatMap((m) => [...m.keys()]));
  }
  clear(): void {
    this.#seen.clear();
  }
  copied(): () => void {
    const seen = [...this.#seen].map(([by, m]): [number, [string, string][]] => [by, [...m]]);
    return () => {
      this.#seen.clear();
      for (const [by, places] of seen) this.#seen.set(by, new Map(places));
    };
  }

  park(e: ChangeEvent): void {
    const audited = this.#oracle.events.get(e.id);
    if (audited === undefined || audited.partition === null) return;
    for (const key of keysOf(e)) if (!this.#parked.has(key)) this.#parked.set(key, audited);
  }

  /** Where nothing can be undone a batch may be written twice: a repeat begins again at its place. */
  check(e: ChangeEvent, isRepeat: boolean): void {
    const { name, holds, store } = this.#lane,
      owner = holds ? 0 : this.#oracle.running,
      table = e.table.id.table;
    let seen = this.#seen.get(owner);
    if (seen === undefined) {
      seen = new Map<string, string>();
      this.#seen.set(owner, seen);
    }
    // A snapshot row is as new as the place of the stream where it was read.
    const place = e.op === 'r' ? (e.position.split('r')[0] as string) : `${e.position}.${e.derived}`;
    const keys = e.op === 't' ? [...seen.keys()].filter((k) => k.startsWith(`${table}/`)) : keysOf(e);
    for (const key of keys) {
      const last = seen.get(key);
      // What a window lost comes behind what it took: see the last arrivals.
      const isFree = isRepeat || store instanceof WindowedStore;
      if (!isFree && last !== undefined && last > place && !(e.op === 'r' && last.startsWith(place)))
        this.#oracle.fail('order', `${e.id} (${e.op} ${key}) came to ${name} after ${last}`);
      if (last === undefined || last < place || isRepeat) seen.set(key, place);
    }
    this.#checkParked(e);
  }

  /** Nothing overtakes a parked event of its key, unless what is parked was forgotten, or skipped before the lane knew of it. */
  #checkParked(e: ChangeEvent): void {
    const audited = this.#oracle.events.get(e.id),
      parked = this.#parked;
    if (this.#lane.isOperated || this.#oracle.forgetful || audited === undefined) return;
    if (e.op === 't') for (const key of [...parked.keys()]) if (key.startsWith(`${e.table.id.table}/`)) parked.delete(key);
    if (e.op === 'r' || e.op === 't') return;
    for (const key of keysOf(e)) {
      const first = parked.get(key);
      if (first !== undefined && first.place < audited.place && !this.#lane.wasInGap(first))
        this.#oracle.fail('overtaken', `${e.id} came to ${this.#lane.name} before ${first.place} of ${key}, which is parked`);
    }
  }
}
