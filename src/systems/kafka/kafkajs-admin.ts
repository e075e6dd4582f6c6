// What can be asked of the brokers, with kafkajs.

import type * as Library from 'kafkajs';
import type { Admin, CommittedOffset, NewTopic, PartitionEnds, TopicInfo } from './client.ts';
import { noTopicYet, troubleOf } from './driver-errors.ts';
import type { Part } from './kafkajs-types.ts';

const TOPIC_RESOURCE = 2;
/** How long a new topic may take to be there. */
const READY_MS = 5_000,
  READY_POLL_MS = 100;

export class KafkajsAdmin implements Admin {
  readonly #open: () => Promise<Part>;
  #part: Part | null = null;
  #admin: Library.Admin | null = null;

  constructor(open: () => Promise<Part>) {
    this.#open = open;
  }

  get #connected(): Library.Admin {
    if (this.#admin === null) throw new TypeError('the client is not connected');
    return this.#admin;
  }

  async connect(): Promise<void> {
    this.#part = await this.#open();
    this.#admin = this.#part.kafka.admin();
    await this.#admin.connect();
  }

  async topics(names: readonly string[] | null): Promise<TopicInfo[]> {
    // Asked by name, a missing topic would be an error, and one that is just being made would be retried for seconds.
    const there = new Set(await this.#connected.listTopics()),
      wanted = names === null ? [...there] : names.filter((name) => there.has(name));
    if (wanted.length === 0) return [];
    const { topics } = await this.#connected.fetchTopicMetadata({ topics: wanted });
    return topics.map(({ name, partitions }) => ({ name, partitions: partitions.length }));
  }

  async createTopics(topics: readonly NewTopic[]): Promise<void> {
    await this.#connected.createTopics({
      // The library's wait fails when it asks a broker that has not heard of them yet.
      waitForLeaders: false,
      topics: topics.map(({ topic, partitions, replicationFactor, config }) => ({
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      })),
    });
    for (const { topic } of topics) await this.#ready(topic);
  }

  async #ready(topic: string): Promise<void> {
    const { clock } = this.#part as Part;
    for (let waitedMs = 0; ; waitedMs += READY_POLL_MS) {
      try {
        if ((await this.topics([topic])).length > 0 && (await this.ends(topic)).length > 0) return;
        if (waitedMs >= READY_MS) throw noTopicYet(topic);
      } catch (error) {
        if (!['no_topic', 'temporary'].includes(troubleOf(error)) || waitedMs >= READY_MS) throw error;
      }
      await clock.sleep(READY_POLL_MS);
    }
  }

  async ends(topic: string): Promise<PartitionEnds[]> {
    const offsets = await this.#connected.fetchTopicOffsets(topic);
    return offsets.map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }));
  }

  async committed(groupId: string, topics: readonly string[]): Promise<CommittedOffset[]> {
    const found = await this.#connected.fetchOffsets({ groupId, topics: [...topics] });
    // Below 0: nothing, or the "earliest" that kafkajs writes when it finds a place gone.
    return found.flatMap(({ topic, partitions }) =>
      partitions
        .map(({ partition, offset, metadata }) => ({ topic, partition, offset: BigInt(offset), metadata: metadata ?? '' }))
        .filter(({ offset }) => offset >= 0n),
    );
  }

  async settings(topic: string, names: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const { resources } = await this.#connected.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: TOPIC_RESOURCE as Library.ConfigResourceTypes, name: topic, configNames: [...names] }],
    });
    return Object.fromEntries((resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]));
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#connected.deleteGroups([groupId]);
  }

  async brokers(): Promise<number> {
    return (await this.#connected.describeCluster()).brokers.length;
  }

  async disconnect(): Promise<void> {
    this.#part?.sockets.destroy();
    await this.#admin?.disconnect().catch(() => undefined);
  }
}
