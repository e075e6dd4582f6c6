// The tables of the statement at hand, by id. The same content gives the same object again, whichever id it has: what others
// prepare for a table is kept by it, and parsing one costs as much as a hundred rows.

import type { EventReader } from './reader.ts';
import { parseTableMap, type TableMap } from './table-map.ts';

/** Each DDL and each reopening of a table gives it a new id. */
const MOST_KEPT = 4096;

interface Known {
  readonly content: Buffer;
  readonly table: TableMap;
}

export class TableMaps {
  readonly #byId = new Map<number, Known>();
  readonly #byContent = new Map<string, Known>();
  #statementEnded = true;

  get(id: number): TableMap | undefined {
    return this.#byId.get(id)?.table;
  }

  /** `r`: behind id and flags. */
  read(id: number, r: EventReader, flavor: 'mysql' | 'mariadb'): TableMap {
    if (this.#statementEnded) {
      this.#statementEnded = false;
      // Ids are only looked up within a statement.
      if (this.#byId.size > MOST_KEPT) this.#byId.clear();
    }
    const known = this.#byId.get(id);
    if (known !== undefined && known.content.length === r.left && known.content.compare(r.bytes, r.at, r.end) === 0) return known.table;
    const found = this.#find(r, flavor);
    this.#byId.set(id, found);
    return found.table;
  }

  #find(r: EventReader, flavor: 'mysql' | 'mariadb'): Known {
    const key = flavor + r.bytes.toString('latin1', r.at, r.end);
    let known = this.#byContent.get(key);
    if (known === undefined) {
      if (this.#byContent.size > MOST_KEPT) this.#byContent.clear();
      const content = Buffer.from(r.bytes.subarray(r.at, r.end));
      known = { content, table: parseTableMap(r, flavor) };
      this.#byContent.set(key, known);
    }
    return known;
  }

  endStatement(): void {
    this.#statementEnded = true;
  }

  /** Ids begin anew with a file of another server. */
  clear(): void {
    this.#byId.clear();
    this.#statementEnded = true;
  }
}
