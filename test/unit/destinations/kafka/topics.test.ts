import { describe, expect, it } from 'vitest';
import { Topics } from '../../../../src/destinations/kafka/topics.ts';
import type { Admin, KafkaClient, NewTopic, TopicInfo } from '../../../../src/systems/kafka/client.ts';
import { troubleOf } from '../../../../src/systems/kafka/driver-errors.ts';
import { kafkaConfig } from '../../../helpers/kafka-destination.ts';
import { VirtualClock } from '../../../helpers/virtual-clock.ts';

/** Brokers with these topics; what is made they know of, or do not yet. */
class World {
  readonly clock = new VirtualClock();
  readonly there = new Map<string, number>();
  readonly made: NewTopic[] = [];
  areSlow = false;
  readonly topics: Topics;

  constructor(changes: Parameters<typeof kafkaConfig>[1] = {}) {
    const admin: Partial<Admin> = {
      connect: () => Promise.resolve(),
      disconnect: () => Promise.resolve(),
      topics: (names) => {
        const known = [...this.there].filter(([name]) => names?.includes(name) ?? true);
        return Promise.resolve(known.map(([name, partitions]): TopicInfo => ({ name, partitions })));
      },
      createTopics: (topics) => {
        this.made.push(...topics);
        if (!this.areSlow) for (const { topic, partitions } of topics) this.there.set(topic, partitions);
        return Promise.resolve();
      },
    };
    const defaults = { partitions: 3, replication_factor: 1, config: { 'retention.ms': 1000 } };
    this.topics = new Topics(
      { admin: () => admin as Admin } as KafkaClient,
      kafkaConfig('b:1', { topic_defaults: defaults, ...changes }),
      this.clock,
    );
  }
}

const troubleWith = (work: Promise<void>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => troubleOf(error),
  );

describe('Topics', () => {
  it('makes those that are missing, as configured, and knows the partitions of all', async () => {
    const world = new World();
    world.there.set('orders', 5);
    await world.topics.prepare(['orders', 'customers', 'customers']);
    expect(world.made).toEqual([{ topic: 'customers', partitions: 3, replicationFactor: 1, config: { 'retention.ms': '1000' } }]);
    expect(['orders', 'customers'].map(world.topics.partitionsOf)).toEqual([5, 3]);
  });

  it('does not guess the partitions of a topic that brokers do not know of yet', async () => {
    const world = new World();
    world.areSlow = true;
    expect(await troubleWith(world.topics.prepare(['orders']))).toBe('no_topic');
    world.there.set('orders', 0);
    expect(await troubleWith(world.topics.prepare(['orders']))).toBe('no_topic');
    world.there.set('orders', 3);
    await world.topics.prepare(['orders']);
    expect(world.topics.partitionsOf('orders')).toBe(3);
  });

  it('does not guess them either where they were forgotten meanwhile', async () => {
    const world = new World();
    await world.topics.prepare(['orders']);
    world.topics.forget();
    expect(() => world.topics.partitionsOf('orders')).toThrow('not known');
  });

  it('looks for partitions that were added after five minutes', async () => {
    const world = new World();
    world.there.set('orders', 2);
    await world.topics.prepare(['orders']);
    world.there.set('orders', 4);
    await world.clock.pass(299_000);
    await world.topics.prepare(['orders']);
    expect(world.topics.partitionsOf('orders')).toBe(2);
    await world.clock.pass(2_000);
    await world.topics.prepare(['orders']);
    expect(world.topics.partitionsOf('orders')).toBe(4);
  });

  it('says which topic is missing where it must not make one', async () => {
    const world = new World({ create_topics: false });
    await expect(world.topics.prepare(['orders'])).rejects.toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
      retriable: false,
      message: 'There is no topic "orders".',
    });
    expect(world.made).toEqual([]);
  });
});
