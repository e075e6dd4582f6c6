// The shapes that captured tables had, each from a place in the log on: durable in the source's own store, because the log is read
// again from places behind which the catalog has moved on.

import type { PluginStore, Position } from '../sdk/index.ts';

export interface ShapeVersion {
  readonly version: number;
  /** The shape holds for changes behind this place. */
  readonly from: Position;
  /** Consumers are told: not of the shape a table had when capture began. */
  readonly announced: boolean;
}

interface Stored<Version> {
  readonly format: 1;
  readonly tables: { readonly [name: string]: readonly Version[] };
}

const STORE_KEY = 'schemas';

/** `orderOf`: the part of a position whose byte order is that of the log. */
export class ShapeHistory<Version extends ShapeVersion> {
  readonly #store: PluginStore;
  readonly #orderOf: (position: Position) => string;
  readonly #tables = new Map<string, Version[]>();

  private constructor(store: PluginStore, orderOf: (position: Position) => string) {
    this.#store = store;
    this.#orderOf = orderOf;
  }

  static async load<Version extends ShapeVersion>(
    store: PluginStore,
    orderOf: (position: Position) => string = (position) => position,
  ): Promise<ShapeHistory<Version>> {
    const history = new ShapeHistory<Version>(store, orderOf),
      bytes = await store.get(STORE_KEY);
    if (bytes === null) return history;
    const stored = JSON.parse(Buffer.from(bytes).toString()) as Stored<Version>;
    for (const [name, versions] of Object.entries(stored.tables)) history.#tables.set(name, [...versions]);
    return history;
  }

  /** In log order. */
  versions(name: string): readonly Version[] {
    return this.#tables.get(name) ?? [];
  }

  /** The one that holds for the change at `at`, and the one after it. */
  around(name: string, at: Position): readonly [Version | null, Version | null] {
    const versions = this.versions(name),
      next = versions.findIndex((v) => this.#orderOf(v.from) > this.#orderOf(at));
    return next === -1 ? [versions.at(-1) ?? null, null] : [versions[next - 1] ?? null, versions[next] ?? null];
  }

  /**
   * The shape begins at its place. Later ones that were known are forgotten: the log is read again, and shows something else than
   * the last time. Numbers are not used twice.
   */
  begin(name: string, version: Omit<Version, 'version'>): Version {
    const known = this.versions(name),
      begun = { ...version, version: Math.max(0, ...known.map((v) => v.version)) + 1 } as Version,
      before = known.filter((v) => this.#orderOf(v.from) < this.#orderOf(begun.from));
    this.#tables.set(name, [...before, begun]);
    return begun;
  }

  /** The shape was met at an earlier place than the last time: filters have changed. */
  move(name: string, version: Version, from: Position): Version {
    return this.replace(name, version, { ...version, from });
  }

  replace(name: string, version: Version, by: Version): Version {
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
    const stored: Stored<Version> = { format: 1, tables: Object.fromEntries(this.#tables) };
    await this.#store.set(STORE_KEY, Buffer.from(JSON.stringify(stored, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v))));
  }
}
