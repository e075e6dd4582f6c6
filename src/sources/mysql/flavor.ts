// Which of the two the server is, for the connector's name in envelopes: Debezium has one for MySQL and one for MariaDB. Known before
// anybody has connected from the last time, so that events of the log on disk are named alike; at first from the URL.

import type { PluginStore } from '../../sdk/index.ts';

type Name = 'mysql' | 'mariadb';

const KEY = 'flavor';

export class Flavor {
  readonly #store: PluginStore;
  #name: Name;
  #isStored: boolean;

  private constructor(store: PluginStore, name: Name, isStored: boolean) {
    this.#store = store;
    this.#name = name;
    this.#isStored = isStored;
  }

  static async load(store: PluginStore, url: string | undefined): Promise<Flavor> {
    const bytes = await store.get(KEY),
      stored = bytes === null ? null : Buffer.from(bytes).toString();
    if (stored === 'mysql' || stored === 'mariadb') return new Flavor(store, stored, true);
    return new Flavor(store, url?.startsWith('mariadb:') === true ? 'mariadb' : 'mysql', false);
  }

  get name(): Name {
    return this.#name;
  }

  /** Durable once it resolves: before the first event is handed over. */
  async learn(name: Name): Promise<void> {
    if (this.#isStored && name === this.#name) return;
    this.#name = name;
    await this.#store.set(KEY, Buffer.from(name));
    this.#isStored = true;
  }
}
