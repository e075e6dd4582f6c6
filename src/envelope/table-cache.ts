// What is prepared once per table and source, found again at the cost of two comparisons while events of one table follow
// each other.

import type { ChangeEvent, TableSchema } from '../sdk/index.ts';

export class TableCache<T> {
  readonly #make: (event: ChangeEvent) => T;
  /** By identity: a source makes a new `TableSchema` for each version, and what is no longer read is collected. */
  readonly #tables = new WeakMap<TableSchema, Map<string, T>>();
  #lastTable: TableSchema | null = null;
  #lastSource = '';
  #last: T | null = null;

  constructor(make: (event: ChangeEvent) => T) {
    this.#make = make;
  }

  get(event: ChangeEvent): T {
    if (event.table === this.#lastTable && event.source === this.#lastSource) return this.#last as T;
    let bySource = this.#tables.get(event.table);
    if (bySource === undefined) {
      bySource = new Map();
      this.#tables.set(event.table, bySource);
    }
    let found = bySource.get(event.source);
    if (found === undefined) {
      found = this.#make(event);
      bySource.set(event.source, found);
    }
    this.#lastTable = event.table;
    this.#lastSource = event.source;
    this.#last = found;
    return found;
  }
}
