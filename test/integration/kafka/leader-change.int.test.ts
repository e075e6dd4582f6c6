// The leader of a partition is killed while destinations write and sources read: the other broker leads, and nothing is lost. On two
// real brokers of the test's own.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { KafkaDestinationConfig } from '../../../src/destinations/kafka/config.ts';
import { descriptor } from '../../../src/destinations/kafka/index.ts';
import {
  additiveOnly,
  CdcError,
  type Destination,
  type LaneBatch,
  type PointHoldingDestination,
  type Position,
} from '../../../src/sdk/index.ts';
import { LANE, laneBatch, pointAt } from '../../../src/sdk/testing/batches.ts';
import { Events, item, memoryStore } from '../../../src/sdk/testing/index.ts';
import { testContext } from '../../../src/sdk/testing/reading.ts';
import { eventually } from '../../helpers/eventually.ts';
import { KafkaPlace, type StoredRecord } from '../../helpers/kafka.ts';
import { kafkaConfig } from '../../helpers/kafka-destination.ts';
import { KafkaReading } from '../../helpers/kafka-reading.ts';
import { kafkaSourceConfig } from '../../helpers/kafka-source.ts';
import { findKafka, OwnKafka } from '../../helpers/own-kafka.ts';

const BATCH = 50;
/** Between batches: the load leaves the brokers and the readers some of the machine. */
const PAUSE_MS = 30;
/** Events that each destination has stored before the leader is killed, and once more after it. */
const ENOUGH = 500;

const KINDS: readonly { readonly name: string; readonly changes: Partial<KafkaDestinationConfig> }[] = [
  { name: 'kafkajs', changes: { client: 'kafkajs' } },
  { name: 'platformatic', changes: { client: 'platformatic' } },
  { name: 'transactions', changes: { transactional: true } },
];

const isRetriable = (error: unknown): boolean => error instanceof CdcError && error.retriable;

/** Writes batch after batch, each again while that can help, as the engine would. */
class Writing {
  /** Events with the ids below this are stored. */
  stored = 0;
  /** Ids of calls that have failed: what became of them is not known. */
  readonly sentAgain = new Set<number>();
  readonly #destination: Destination;
  readonly #events = new Events();
  #isOver = false;
  readonly #running: Promise<void>;

  private constructor(destination: Destination) {
    this.#destination = destination;
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  static async start(config: KafkaDestinationConfig): Promise<Writing> {
    const destination = await descriptor.create(config, { ...testContext('kafka'), schemaEvolution: additiveOnly });
    if (config.transactional === true) {
      const holder = destination as PointHoldingDestination;
      await holder.committed(LANE);
      await holder.claim(LANE, 1);
      await holder.setPoints(LANE, 1, [pointAt(0)]);
    }
    return new Writing(destination);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    await this.#destination.close();
  }

  async #run(): Promise<void> {
    for (; !this.#isOver; await sleep(PAUSE_MS)) {
      const ids = Array.from({ length: BATCH }, (_, i) => this.stored + i),
        batch = laneBatch(ids.map((id) => this.#events.create(item(id, `row ${id} ${'x'.repeat(200)}`))));
      for (let isFirst = true; !(await this.#try(batch, ids, isFirst)); isFirst = false) await sleep(100);
      this.stored += BATCH;
    }
  }

  async #try(batch: LaneBatch, ids: readonly number[], isFirst: boolean): Promise<boolean> {
    try {
      // After an outcome that is not known who holds the point is asked first.
      if (!isFirst && (await this.#isThere(batch))) return true;
      return (await this.#destination.write(batch, new AbortController().signal)).kind === 'stored';
    } catch (error) {
      if (!isRetriable(error)) throw error;
      for (const id of ids) this.sentAgain.add(id);
      return false;
    }
  }

  async #isThere({ through }: LaneBatch): Promise<boolean> {
    const committed = await this.#destination.committed(LANE);
    return committed.kind === 'points' && JSON.stringify(committed.points) === JSON.stringify([through]);
  }
}

/** Reads on from where it was after each failure, as the engine would. */
class Following {
  /** By partition. */
  readonly ids = new Map<string, number[]>();
  readonly #config: Parameters<typeof KafkaReading.start>[0];
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(brokers: string, topic: string) {
    this.#config = kafkaSourceConfig(brokers, topic, { message_format: 'json', session_timeout: 3_000, rebalance_timeout: 6_000 });
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  get count(): number {
    return [...this.ids.values()].reduce((sum, { length }) => sum + length, 0);
  }
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const store = memoryStore();
    let positions: Readonly<Record<string, Position>> = {};
    while (!this.#isOver) {
      await using reading = await KafkaReading.start(this.#config, { store, positions });
      for (let taken = 0; ; await sleep(20)) {
        const isLast = this.#isOver || reading.hasEnded;
        for (const event of reading.events.slice(taken)) {
          const { id } = (event.after as { after: { id: number } }).after,
            ids = this.ids.get(event.partition);
          if (ids === undefined) this.ids.set(event.partition, [id]);
          else ids.push(id);
        }
        taken = reading.events.length;
        if (isLast) break;
      }
      if (reading.failure !== null && !isRetriable(reading.failure)) throw reading.failure as Error;
      positions = { ...reading.positions };
    }
  }
}

/** Two partitions, one led by each broker; and each has a copy on the other. */
async function createTopic(place: KafkaPlace, topic: string): Promise<void> {
  const replicaAssignment = [
    { partition: 0, replicas: [2, 1] },
    { partition: 1, replicas: [1, 2] },
  ];
  await place.admin.createTopics({ waitForLeaders: false, topics: [{ topic, replicaAssignment }] });
  await place.ready(topic, 2);
}

async function leaders(place: KafkaPlace, topic: string): Promise<number[]> {
  const { topics } = await place.admin.fetchTopicMetadata({ topics: [topic] });
  return (topics[0]?.partitions ?? []).toSorted((a, b) => a.partitionId - b.partitionId).map((p) => p.leader);
}

const idOf = ({ value }: StoredRecord): number => (JSON.parse(String(value)) as { after: { id: number } }).after.id;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const ascending = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);

const bin = await findKafka();

describe.skipIf(bin === null)('a leader that is killed under load', () => {
  it('costs nobody an event, and is seen twice by nobody who writes in transactions', { timeout: 180_000 }, async () => {
    await using cluster = await OwnKafka.start(bin as string);
    await using place = new KafkaPlace(cluster.url);
    await place.admin.connect();
    const runs = await Promise.all(
      KINDS.map(async ({ name, changes }) => {
        const topic = `${place.name}.${name}`;
        await createTopic(place, topic);
        expect(await leaders(place, topic)).toEqual([2, 1]);
        const config = kafkaConfig(cluster.brokers, {
          topic,
          create_topics: false,
          topic_defaults: { partitions: 2, replication_factor: 2, config: {} },
          ...(changes.transactional === true ? { points_topic: `${topic}.points`, transactional_id: topic } : {}),
          ...changes,
        });
        return { name, topic, writing: await Writing.start(config), following: new Following(cluster.brokers, topic) };
      }),
    );
    for (const { name, writing, following } of runs)
      await eventually(() => writing.stored >= ENOUGH && following.count >= ENOUGH / 2, `${name}: events before`);

    await cluster.kill();
    const then = runs.map(({ writing }) => writing.stored);
    for (const [i, { name, writing, topic }] of runs.entries()) {
      await eventually(() => writing.stored >= (then[i] ?? 0) + ENOUGH, `${name}: events after`);
      expect(await leaders(place, topic), name).toEqual([1, 1]);
    }

    for (const { name, topic, writing, following } of runs) {
      await writing.end();
      const records = await place.read(topic),
        ids = records.map(idOf);
      await eventually(() => following.count >= ids.length, `${name}: all is read`);
      await following.end();
      expect(ascending(new Set(ids)), `${name}: nothing is lost`).toEqual(range(writing.stored));
      const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
      if (name === 'transactions') expect(twice, 'nothing is there twice').toEqual([]);
      else
        expect(
          twice.filter((id) => !writing.sentAgain.has(id)),
          `${name}: twice is only what a failed call sent again`,
        ).toEqual([]);
      for (const partition of [0, 1]) {
        const there = records.filter((r) => r.partition === partition).map(idOf),
          firsts = [...new Set(there)];
        expect(firsts, `${name}: the order of partition ${partition}`).toEqual(ascending(firsts));
        expect(following.ids.get(`${topic}/${partition}`), `${name}: the source reads partition ${partition} as it is`).toEqual(there);
      }
    }
  });
});
