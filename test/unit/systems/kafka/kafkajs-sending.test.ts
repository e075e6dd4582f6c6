import type { Message, PartitionMetadata, RecordMetadata, TopicMessages } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import type { OutgoingRecord, TopicRecords } from '../../../../src/systems/kafka/client.ts';
import { troubleOf } from '../../../../src/systems/kafka/driver-errors.ts';
import { Sending } from '../../../../src/systems/kafka/kafkajs-sending.ts';

const TRIES = 5;

/** What `sendBatch` of kafkajs 2.2 does with its tries, its fault included: who has answered in a call is not asked again. */
class FakeLibrary {
  readonly sending = new Sending();
  /** Node of each partition of `orders`; what is left out the library does not know of. */
  leaders: number[];
  /** Fail their next request, with the leaders that there are then. */
  readonly dying = new Map<number, number[]>();
  readonly requests: string[] = [];
  readonly stored: string[] = [];
  /** Errors that end a call come in another one. */
  wraps = false;

  constructor(leaders: number[]) {
    this.leaders = leaders;
  }

  send(records: readonly TopicRecords[]): Promise<RecordMetadata[]> {
    return this.sending.send(records, (topicMessages) => this.#sendBatch(topicMessages));
  }

  async #sendBatch(topicMessages: TopicMessages[]): Promise<RecordMetadata[]> {
    const answers = new Map<number, RecordMetadata[]>();
    for (let tries = 1; ; tries++) {
      try {
        const requests = this.#requests(topicMessages);
        for (const [leader, partitions] of requests) if (!answers.has(leader)) answers.set(leader, this.#ask(leader, partitions));
        return [...answers.values()].flat();
      } catch (error) {
        if ((error as { retriable?: boolean }).retriable === false) throw this.wraps ? new Error('given up', { cause: error }) : error;
        if (tries === TRIES) throw error;
      }
    }
  }

  /** By leader: partitions by name with their messages. */
  #requests(topicMessages: TopicMessages[]): Map<number, Map<string, Message[]>> {
    const partitioner = this.sending.createPartitioner(),
      partitionMetadata = this.leaders.map((leader, partitionId) => ({ partitionId, leader })) as PartitionMetadata[],
      requests = new Map<number, Map<string, Message[]>>();
    for (const { topic, messages } of topicMessages) {
      const sorted = messages.reduce<Record<string, Message[]>>((all, message) => {
        const partition = partitioner({ topic, partitionMetadata, message });
        all[partition] ??= [];
        all[partition].push(message);
        return all;
      }, {});
      for (const [partition, list] of Object.entries(sorted)) {
        const leader = this.leaders[Number(partition)];
        if (leader === undefined) continue;
        const request = requests.get(leader) ?? new Map<string, Message[]>();
        requests.set(leader, request.set(`${topic}/${partition}`, list));
      }
    }
    return requests;
  }

  #ask(leader: number, partitions: ReadonlyMap<string, Message[]>): RecordMetadata[] {
    this.requests.push(`${leader}: ${[...partitions.keys()].join(' ')}`);
    const then = this.dying.get(leader);
    if (then !== undefined) {
      this.dying.delete(leader);
      this.leaders = then;
      throw new Error('the connection was closed');
    }
    for (const messages of partitions.values()) for (const { value } of messages) this.stored.push(String(value));
    return [...partitions.keys()].map((name) => {
      const [topicName = '', partition] = name.split('/');
      return { topicName, partition: Number(partition), errorCode: 0, baseOffset: '7' };
    });
  }
}

/** Values `a0 a1 …` to partition 0 of `orders`, `b0 b1 …` to 1, `c0 …` to 2, one after the other. */
function records(count: number, partitions: number, topic = 'orders'): TopicRecords {
  const messages = Array.from({ length: count }, (_, i) =>
    Array.from({ length: partitions }, (_p, partition): OutgoingRecord => {
      const value = Buffer.from(`${'abc'[partition]}${i}`);
      return { key: null, value, headers: {}, timestamp: '0', partition };
    }),
  );
  return { topic, messages: messages.flat() };
}

describe('Sending', () => {
  it('asks one leader for all at once, in the order of each partition', async () => {
    const library = new FakeLibrary([1, 1, 1]);
    const sent = await library.send([records(2, 3)]);
    expect(library.requests).toEqual(['1: orders/0 orders/1 orders/2']);
    expect(library.stored).toEqual(['a0', 'a1', 'b0', 'b1', 'c0', 'c1']);
    expect(sent.map((s) => [s.topicName, s.partition, s.baseOffset])).toEqual([
      ['orders', 0, '7'],
      ['orders', 1, '7'],
      ['orders', 2, '7'],
    ]);
  });

  it.each([false, true])('asks each of several leaders in a call of its own (errors wrapped: %s)', async (wraps) => {
    const library = new FakeLibrary([1, 2, 1]);
    library.wraps = wraps;
    for (let n = 0; n < 2; n++) await library.send([records(1, 3)]);
    expect(library.requests).toEqual(['1: orders/0 orders/2', '2: orders/1', '1: orders/0 orders/2', '2: orders/1']);
    expect(library.stored.toSorted()).toEqual(['a0', 'a0', 'b0', 'b0', 'c0', 'c0']);
  });

  it('keeps the topics of a leader together, once it knows who leads', async () => {
    const library = new FakeLibrary([1, 2]);
    await library.send([records(1, 2), records(1, 2, 'customers')]);
    expect(library.stored.toSorted()).toEqual(['a0', 'a0', 'b0', 'b0']);
    library.requests.length = 0;
    await library.send([records(1, 2), records(1, 2, 'customers')]);
    expect(library.requests).toEqual(['1: orders/0 customers/0', '2: orders/1 customers/1']);
  });

  it.each([
    ['to one that has answered already', [1, 1, 1]],
    ['to two others', [3, 1, 3]],
  ])('stores each record once when a leader dies and what it led goes %s', async (_title, then) => {
    const library = new FakeLibrary([2, 1, 2]);
    library.dying.set(2, then);
    await library.send([records(2, 3)]);
    expect(library.stored.toSorted()).toEqual(['a0', 'a1', 'b0', 'b1', 'c0', 'c1']);
    await library.send([records(1, 3)]);
    expect(library.stored).toHaveLength(9);
  });

  it('sorts anew what one leader had when it goes to several', async () => {
    const library = new FakeLibrary([2, 2, 2]);
    library.dying.set(2, [1, 3, 1]);
    await library.send([records(1, 3)]);
    expect(library.requests).toEqual(['2: orders/0 orders/1 orders/2', '1: orders/0 orders/2', '3: orders/1']);
    expect(library.stored.toSorted()).toEqual(['a0', 'b0', 'c0']);
  });

  it('takes nothing for stored that the library has left out', async () => {
    const library = new FakeLibrary([1]);
    const failure = await library.send([records(1, 2)]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: 'nobody has confirmed the records of partition orders/1' });
    expect(troubleOf(failure)).toBe('temporary');
  });

  it('fails with what the library fails with', async () => {
    const library = new FakeLibrary([1]);
    const refused = Object.assign(new Error('too large'), { retriable: false, type: 'MESSAGE_TOO_LARGE' });
    await expect(library.sending.send([records(1, 1)], () => Promise.reject(refused))).rejects.toBe(refused);
  });
});
