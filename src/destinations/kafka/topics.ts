// The topics that records go to: made when they are missing, and how many partitions each has.

import { CdcError, type Clock } from '../../sdk/index.ts';
import type { Admin, KafkaClient } from '../../systems/kafka/client.ts';
import { noTopicYet } from '../../systems/kafka/driver-errors.ts';
import { withAdmin } from '../../systems/kafka/with-admin.ts';
import type { KafkaDestinationConfig } from './config.ts';

/** Partitions that are added while we run are used after this. As the metadata of the Java client. */
const MAX_AGE_MS = 300_000;

export class Topics {
  readonly #client: KafkaClient;
  readonly #config: KafkaDestinationConfig;
  readonly #clock: Clock;
  readonly #partitions = new Map<string, number>();
  #readMs = 0;

  constructor(client: KafkaClient, config: KafkaDestinationConfig, clock: Clock) {
    this.#client = client;
    this.#config = config;
    this.#clock = clock;
  }

  /** Of a topic that was made ready, and not forgotten since: which partition a key belongs to must not be guessed (invariant 4). */
  readonly partitionsOf = (topic: string): number => {
    const known = this.#partitions.get(topic);
    if (known === undefined) throw noTopicYet(topic);
    return known;
  };

  /** What is known may be out of date. */
  forget(): void {
    this.#partitions.clear();
  }

  /** Makes them if need be. Throws `DESTINATION_MISCONFIGURED` for one that is missing. */
  async prepare(names: Iterable<string>): Promise<void> {
    const nowMs = this.#clock.now();
    if (nowMs - this.#readMs > MAX_AGE_MS || nowMs < this.#readMs) this.forget();
    const unknown = [...new Set(names)].filter((name) => !this.#partitions.has(name));
    if (unknown.length === 0) return;
    await withAdmin(this.#client, async (admin) => {
      for (const { name, partitions } of await this.#existing(admin, unknown)) if (partitions > 0) this.#partitions.set(name, partitions);
    });
    for (const name of unknown) this.partitionsOf(name);
    this.#readMs = nowMs;
  }

  async #existing(admin: Admin, names: readonly string[]) {
    const there = await admin.topics(names),
      missing = names.filter((name) => !there.some((t) => t.name === name));
    if (missing.length === 0) return there;
    if (!this.#config.create_topics)
      throw new CdcError('DESTINATION_MISCONFIGURED', `There is no topic ${missing.map((t) => `"${t}"`).join(', ')}.`, {
        fix: 'Create it, or set `create_topics: true`.',
      });
    const { partitions, replication_factor: replicationFactor, config } = this.#config.topic_defaults;
    const settings = Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value)]));
    await admin.createTopics(missing.map((topic) => ({ topic, partitions, replicationFactor, config: settings })));
    return admin.topics(names);
  }
}
