// Order per key at one destination (invariant 4): for ever where the point is held, else within a process; and nothing overtakes
// a parked event of its key.

import type { ChangeEvent, LaneBatch } from '../../src/sdk/index.ts';
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
  /** Parked event → the one of its key that was parked before. */
  readonly #behind = new Map<string, string>();
  /** Part of the lane's parked keys → the events that state has there. */
  readonly #saved = new Map<string, readonly string[]>();

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
    for (const key of keysOf(e)) {
      const first = this.#parked.get(key);
      if (first === undefined) this.#parked.set(key, audited);
      else if (first !== audited) this.#behind.set(e.id, first.id);
    }
  }
  parkedSaved(part: string, events: readonly string[]): void {
    this.#saved.set(part, events);
  }

  /** Where nothing can be undone a batch may be written twice: a repeat begins again at its place. */
  check(e: ChangeEvent, isRepeat: boolean, batch: LaneBatch | undefined): void {
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
    this.#checkParked(e, batch);
  }

  /** Nothing overtakes a parked event of its key, unless what is parked was forgotten, or skipped before the lane knew of it. */
  #checkParked(e: ChangeEvent, batch: LaneBatch | undefined): void {
    const audited = this.#oracle.events.get(e.id),
      parked = this.#parked;
    if (this.#lane.isOperated || this.#oracle.forgetful || audited === undefined) return;
    if (e.op === 't') for (const key of [...parked.keys()]) if (key.startsWith(`${e.table.id.table}/`)) parked.delete(key);
    if (e.op === 'r' || e.op === 't') return;
    for (const key of keysOf(e)) {
      // Its letter was written when the process died, state had not got its key, and this time it is taken.
      if (parked.get(key) === audited) parked.delete(key);
      const first = parked.get(key);
      if (first !== undefined && first.place < audited.place && !this.#lane.wasInGap(first) && !this.#isInWindow(first, batch))
        this.#oracle.fail('overtaken', `${e.id} came to ${this.#lane.name} before ${first.place} of ${key}, which is parked`);
    }
  }

  /**
   * A process died after the letter was parked and before state had the key: the event is sent once more, to be refused again, and
   * what is on its way in the same window may be stored behind it, as when it was refused first.
   */
  #isInWindow({ id }: Audited, batch: LaneBatch | undefined): boolean {
    if (!(this.#lane.store instanceof WindowedStore) || batch === undefined || this.#isSaved(id)) return false;
    return batch.events.some((e, i) => e.id === id && !batch.skip.has(i));
  }
  #isSaved(id: string): boolean {
    const before = this.#behind.get(id);
    return [...this.#saved.values()].some((events) => events.includes(id)) || (before !== undefined && this.#isSaved(before));
  }
}
