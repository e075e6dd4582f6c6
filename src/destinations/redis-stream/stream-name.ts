// From the template and an event to the name of its stream. Pure. What an event does not have is `_`.

import type { TableSchema } from '../../sdk/index.ts';
import type { Part } from '../../systems/redis/template.ts';

export class StreamNames {
  readonly #parts: readonly Part[];
  /** Events of a batch mostly share both. */
  #table: TableSchema | null = null;
  #topic = '';
  #name = '';

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  nameOf(table: TableSchema, topic: string): string {
    if (table === this.#table && topic === this.#topic) return this.#name;
    const { id } = table;
    const values: Readonly<Record<string, string | null>> = { topic, database: id.database, schema: id.schema, table: id.table };
    this.#name = this.#parts.map((part) => ('text' in part ? part.text : values[part.word] || '_')).join('');
    this.#table = table;
    this.#topic = topic;
    return this.#name;
  }
}
