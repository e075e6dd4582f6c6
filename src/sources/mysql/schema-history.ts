// The shapes that captured tables had, each from a place in the log on: durable in the source's own store, because the log is read
// again from places behind which the catalog has moved on.

import type { PluginStore, Position } from '../../sdk/index.ts';
import type { MapColumn } from './binlog/table-map.ts';
import { sortable } from './position.ts';
import type { ColumnFacts } from './types.ts';

export interface TableVersion {
  readonly version: number;
  /** The shape holds for changes behind this place. */
  readonly from: Position;
  /** Consumers are told: not of the shape a table had when capture began. */
  readonly announced: boolean;
  readonly columns: readonly MapColumn[];
  readonly key: readonly string[];
  /** One for each column, from the catalog; `null`: it says nothing that fits. */
  readonly facts: readonly (ColumnFacts | null)[];
}

interface Stored {
  readonly format: 1;
  readonly tables: { readonly [name: string]: readonly TableVersion[] };
}

const STORE_KEY = 'schemas';

export class SchemaHistory {
  readonly #store: PluginStore;
  readonly #tables = new Map<string, TableVersion[]>();

  private constructor(store: PluginStore) {
    this.#store = store;
  }

  static async load(store: PluginStore): Promise<SchemaHistory> {
    const history = new SchemaHistory(store),
      bytes = await store.get(STORE_KEY);
    if (bytes === null) return history;
    const stored = JSON.parse(Buffer.from(bytes).toString()) as Stored;
    for (const [name, versions] of Object.entries(stored.tables)) history.#tables.set(name, [...versions]);
    return history;
  }

  /** In log order. */
  versions(name: string): readonly TableVersion[] {
    return this.#tables.get(name) ?? [];
  }

  /** The one that holds for the change at `at`, and the one after it. */
  around(name: string, at: Position): readonly [TableVersion | null, TableVersion | null] {
    const versions = this.versions(name),
      next = versions.findIndex((v) => sortable(v.from) > sortable(at));
    return next === -1 ? [versions.at(-1) ?? null, null] : [versions[next - 1] ?? null, versions[next] ?? null];
  }

  /**
   * The shape begins at its place. Later ones that were known are forgotten: the log is read again, and shows something else than
   * the last time. Numbers are not used twice.
   */
  begin(name: string, version: Omit<TableVersion, 'version'>): TableVersion {
    const known = this.versions(name),
      begun = { ...version, version: Math.max(0, ...known.map((v) => v.version)) + 1 };
    this.#tables.set(name, [...known.filter((v) => sortable(v.from) < sortable(version.from)), begun]);
    return begun;
  }

  /** The shape was met at an earlier place than the last time: filters have changed. */
  move(name: string, version: TableVersion, from: Position): TableVersion {
    return this.replace(name, version, { ...version, from });
  }

  replace(name: string, version: TableVersion, by: TableVersion): TableVersion {
    this.#tables.set(
      name,
      this.versions(name).map((v) => (v === version ? by : v)),
    );
    return by;
  }

  names(): readonly string[] {
    return [...this.#tables.keys()];
  }

  /** Everything begins anew: what was stored belongs to another log. */
  clear(): void {
    this.#tables.clear();
  }

  /** Durable once it resolves. */
  async save(): Promise<void> {
    const stored: Stored = { format: 1, tables: Object.fromEntries(this.#tables) };
    await this.#store.set(STORE_KEY, Buffer.from(JSON.stringify(stored, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v))));
  }
}
