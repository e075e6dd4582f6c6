// Which table each relation of the stream is. A relation is described before its first change and whenever it is another one; what was
// described is looked up in the catalog before a change of it is taken in. Asked for each row, so the one asked for last is at hand.

import type { Relation } from './pgoutput/relation.ts';
import type { ReadTable } from './schemas.ts';

const INSERT = 0x49,
  UPDATE = 0x55,
  DELETE = 0x44,
  TRUNCATE = 0x54;
const TRUNCATE_OIDS_AT = 6;

export class RelationTables {
  /** As the server described them in this session. `null`: not captured. */
  readonly #tables = new Map<number, ReadTable | null>();
  /** Described, and not looked up yet. */
  readonly #described = new Map<number, Relation>();
  #lastOid = -1;
  #lastTable: ReadTable | null = null;

  describe(relation: Relation): void {
    this.#described.set(relation.oid, relation);
    this.#lastOid = -1;
  }

  /**
   * The relation that must be looked up before the message at `start` can be taken in; `null` when none. Not when its own
   * message comes: of partitions one comes for the root and one for the leaf, and only one of the two has rows.
   */
  unresolved(bytes: Buffer, start: number, end: number): Relation | null {
    if (this.#described.size === 0) return null;
    const tag = bytes[start];
    if (tag === INSERT || tag === UPDATE || tag === DELETE) {
      if (end - start < 5) return null;
      const oid = bytes.readUInt32BE(start + 1);
      return oid === this.#lastOid ? null : (this.#described.get(oid) ?? null);
    }
    if (tag !== TRUNCATE) return null;
    // The lowest first: their places carry the oid, and come in order.
    let first: Relation | null = null;
    for (let at = start + TRUNCATE_OIDS_AT; at + 4 <= end; at += 4) {
      const relation = this.#described.get(bytes.readUInt32BE(at));
      if (relation !== undefined && (first === null || relation.oid < first.oid)) first = relation;
    }
    return first;
  }

  /** What the relation is from here on. What was counted of the transaction that is being read goes on. */
  resolve({ oid }: Relation, table: ReadTable | null): void {
    const before = this.#tables.get(oid) ?? null;
    if (table !== null && before !== null) {
      table.transaction = before.transaction;
      table.count = before.count;
    }
    this.#tables.set(oid, table);
    this.#described.delete(oid);
    this.#lastOid = -1;
  }

  /** `null`: not captured. */
  of(oid: number): ReadTable | null {
    if (oid === this.#lastOid) return this.#lastTable;
    const table = this.#tables.get(oid);
    if (table === undefined) throw new Error(`a change of relation ${oid}, which was not described`);
    this.#lastOid = oid;
    this.#lastTable = table;
    return table;
  }
}
