// The tables that messages belong to. The same object while nothing changes, because encoders keep what they prepare by it.

import { type Column, formatTableId, type TableId, type TableSchema } from '../sdk/index.ts';
import { Lru } from '../util/lru.ts';
import type { MessageFormatConfig } from './config.ts';

/** Invariant 5: anybody may publish to topics without number. Some MB at most. */
export const MOST_TABLES = 10_000;

export class MessageTables {
  readonly #name: string;
  /** By the text of the id. One that was let go of is as one that was never seen. */
  readonly #tables = new Lru<TableSchema>(MOST_TABLES);
  #lastTopic = '';
  #last: TableSchema | null = null;

  constructor(config: Pick<MessageFormatConfig, 'table'>) {
    this.#name = config.table ?? '{topic}';
  }

  /** The table that the rows of a topic belong to. */
  idOf(topic: string): TableId {
    return { database: null, schema: null, table: this.#name.replaceAll('{topic}', () => topic) };
  }

  of(topic: string, columns: readonly Column[], key: readonly string[]): TableSchema {
    const last = this.#last;
    // Messages of one topic follow each other.
    if (last !== null && topic === this.#lastTopic && last.columns === columns && sameKey(last.key, key)) return last;
    this.#lastTopic = topic;
    this.#last = this.get(this.idOf(topic), columns, key);
    return this.#last;
  }

  /** Other columns or another key than before make a new version. */
  get(id: TableId, columns: readonly Column[], key: readonly string[]): TableSchema {
    const name = `${id.database ?? ''}\0${formatTableId(id)}`,
      known = this.#tables.get(name);
    if (known !== undefined && sameKey(known.key, key) && sameColumns(known.columns, columns)) return known;
    const table: TableSchema = { id, columns, key, version: (known?.version ?? 0) + 1 };
    this.#tables.set(name, table);
    return table;
  }

  /** As it was last seen. */
  known(topic: string): TableSchema {
    const id = this.idOf(topic);
    return this.#tables.get(`\0${formatTableId(id)}`) ?? { id, columns: [], key: [], version: 1 };
  }
}

const sameKey = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((name, i) => name === b[i]));

/** Columns come from one list per schema: nearly always the very same. */
function sameColumns(a: readonly Column[], b: readonly Column[]): boolean {
  return a === b || (a.length === b.length && a.every((column, i) => JSON.stringify(column) === JSON.stringify(b[i])));
}
