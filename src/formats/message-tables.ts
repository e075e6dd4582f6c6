// The tables that messages belong to. The same object while nothing changes, because encoders keep what they prepare by it.

import { type Column, formatTableId, type TableId, type TableSchema } from '../sdk/index.ts';
import type { MessageFormatConfig } from './config.ts';

export class MessageTables {
  readonly #name: string;
  /** By the text of the id. */
  readonly #tables = new Map<string, TableSchema>();
  readonly #ids = new Map<string, TableId>();
  #lastTopic = '';
  #last: TableSchema | null = null;

  constructor(config: Pick<MessageFormatConfig, 'table'>) {
    this.#name = config.table ?? '{topic}';
  }

  /** The table that the rows of a topic belong to. */
  idOf(topic: string): TableId {
    let id = this.#ids.get(topic);
    if (id === undefined) {
      id = { database: null, schema: null, table: this.#name.replaceAll('{topic}', () => topic) };
      this.#ids.set(topic, id);
    }
    return id;
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
