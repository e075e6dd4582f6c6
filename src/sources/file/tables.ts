// The tables of a file source. Their columns come from CSV headers; JSON has none.

import type { Column, TableSchema } from '../../sdk/index.ts';

export class TableBook {
  readonly #key: readonly string[];
  readonly #tables = new Map<string, TableSchema>();

  constructor(key: readonly string[]) {
    this.#key = key;
  }

  /** The table with these columns. Other columns than before make a new version. */
  get(name: string, columns: readonly string[] | null): TableSchema {
    const known = this.#tables.get(name);
    const names = columns ?? [];
    if (known !== undefined && known.columns.length === names.length && known.columns.every((c, i) => c.name === names[i])) return known;
    const table: TableSchema = {
      id: { database: null, schema: null, table: name },
      columns: names.map((c) => this.#column(c)),
      key: this.#key,
      version: (known?.version ?? 0) + 1,
    };
    this.#tables.set(name, table);
    return table;
  }

  /** The table as it was last seen; without columns before the first record. */
  known(name: string): TableSchema {
    return this.#tables.get(name) ?? { id: { database: null, schema: null, table: name }, columns: [], key: this.#key, version: 1 };
  }

  #column(name: string): Column {
    return { name, type: 'string', nativeType: 'text', nullable: !this.#key.includes(name) };
  }
}
