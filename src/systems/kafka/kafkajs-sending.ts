// Sends records so that each call of kafkajs has one leader to ask. With several at once it loses records when a leader dies: what
// comes to a leader that has answered already is taken for stored (https://github.com/tulios/kafkajs/issues/1303); and it doubles them:
// a leader that is slow to answer is asked again under new sequence numbers. Within one leader its tries are repeats that the
// brokers recognise.

import type * as Library from 'kafkajs';
import type { TopicRecords } from './client.ts';
import { PartitionMessages } from './kafkajs-records.ts';

type SendBatch = (topicMessages: Library.TopicMessages[]) => Promise<Library.RecordMetadata[]>;

/** The records of one partition. */
interface Share {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly messages: PartitionMessages;
}

/** Who leads may change while we sort records by it. A cluster that goes on changing is for the engine, which waits longer. */
const MAX_SORTINGS = 5;

const nameOf = (topic: string, partition: number): string => `${topic}/${partition}`;

/** Thrown before a try of the library has sent anything. */
class SeveralLeaders extends Error {
  override readonly name = 'SeveralLeaders';
  /** By the library: it would ask the same ones again. */
  readonly retriable = false;
}

/** Of one producer. */
export class Sending {
  /** By name of the partition, as the library knew it last. */
  readonly #leaders = new Map<string, number>();

  /** For the library: it asks where a record goes, and tells who leads. What goes where is decided before (`partitioner.ts`). */
  readonly createPartitioner: Library.ICustomPartitioner =
    () =>
    ({ topic, partitionMetadata, message }) => {
      for (const { partitionId, leader } of partitionMetadata) this.#leaders.set(nameOf(topic, partitionId), leader);
      return message.partition as number;
    };

  send(records: readonly TopicRecords[], sendBatch: SendBatch): Promise<Library.RecordMetadata[]> {
    return this.#sendAll(sharesOf(records), sendBatch, 1);
  }

  async #sendAll(shares: readonly Share[], sendBatch: SendBatch, sorting: number): Promise<Library.RecordMetadata[]> {
    const groups = this.#byLeader(shares);
    return (await Promise.all(groups.map((group) => this.#sendGroup(group, sendBatch, sorting)))).flat();
  }

  async #sendGroup(group: readonly Share[], sendBatch: SendBatch, sorting: number): Promise<Library.RecordMetadata[]> {
    try {
      const sent = await sendBatch(topicMessages(group, new Call(this.#leaders)));
      assertComplete(group, sent);
      return sent;
    } catch (error) {
      if (!isSeveralLeaders(error) || sorting === MAX_SORTINGS) throw error;
      return this.#sendAll(group, sendBatch, sorting + 1);
    }
  }

  /** Those whose leader is not known yet go together: the library finds out. */
  #byLeader(shares: readonly Share[]): Share[][] {
    const groups = new Map<number | null, Share[]>();
    for (const share of shares) {
      const leader = this.#leaders.get(share.name) ?? null,
        group = groups.get(leader);
      if (group === undefined) groups.set(leader, [share]);
      else group.push(share);
    }
    return [...groups.values()];
  }
}

/** What one call of the library is about to do in each of its tries. */
class Call {
  readonly #leaders: ReadonlyMap<string, number>;
  readonly #sorted = new Set<string>();
  #leader: number | null = null;

  constructor(leaders: ReadonlyMap<string, number>) {
    this.#leaders = leaders;
  }

  /** Throws when these partitions and those sorted before them in this try have several leaders. */
  sorted(topic: string, shares: readonly Share[]): void {
    if (this.#sorted.has(topic)) {
      // Another try of the library: who leads may be another.
      this.#sorted.clear();
      this.#leader = null;
    }
    this.#sorted.add(topic);
    for (const { name } of shares) {
      const leader = this.#leaders.get(name) ?? null;
      this.#leader ??= leader;
      if (leader !== null && leader !== this.#leader) throw new SeveralLeaders('the partitions have several leaders');
    }
  }
}

/**
 * kafkajs sorts records by partition with `messages.reduce`, at the start of each try, and copies a list for each record: a million
 * copies for a batch of a thousand. Ours are sorted already, so a list that answers `reduce` with what it is made of saves that
 * (5 µs a record at 10,000), and is asked before anything is sent.
 */
class SortedMessages extends Array<Library.Message> {
  #shares: readonly Share[] = [];
  #call: Call | null = null;

  static of_(shares: readonly Share[], call: Call): SortedMessages {
    const list = new SortedMessages();
    list.#shares = shares;
    list.#call = call;
    for (const { messages } of shares) for (const message of messages) list.push(message);
    return list;
  }

  override reduce(...[sort]: readonly unknown[]): never {
    const [first] = this,
      [share] = this.#shares;
    // The partitioner is told who leads.
    (sort as (result: object, message: Library.Message | undefined) => unknown)({}, first);
    if (share !== undefined) this.#call?.sorted(share.topic, this.#shares);
    return Object.fromEntries(this.#shares.map(({ partition, messages }) => [partition, messages])) as never;
  }
}

function sharesOf(records: readonly TopicRecords[]): Share[] {
  const shares: Share[] = [];
  for (const { topic, messages } of records) {
    const byPartition = new Map<number, PartitionMessages>();
    for (const message of messages) {
      let list = byPartition.get(message.partition);
      if (list === undefined) {
        list = new PartitionMessages();
        byPartition.set(message.partition, list);
      }
      list.push(message as Library.Message);
    }
    for (const [partition, list] of byPartition) shares.push({ name: nameOf(topic, partition), topic, partition, messages: list });
  }
  return shares;
}

function topicMessages(group: readonly Share[], call: Call): Library.TopicMessages[] {
  const topics = new Map<string, Share[]>();
  for (const share of group) {
    const list = topics.get(share.topic);
    if (list === undefined) topics.set(share.topic, [share]);
    else list.push(share);
  }
  return [...topics].map(([topic, shares]) => ({ topic, messages: SortedMessages.of_(shares, call) }));
}

/** The library leaves out partitions that it does not know of, and says nothing. */
function assertComplete(group: readonly Share[], sent: readonly Library.RecordMetadata[]): void {
  const told = new Set(sent.map(({ topicName, partition }) => nameOf(topicName, partition)));
  for (const { name } of group) {
    if (!told.has(name)) throw Object.assign(new Error(`nobody has confirmed the records of partition ${name}`), { retriable: true });
  }
}

/** As it is, or in the library's own error. */
const isSeveralLeaders = (error: unknown): boolean =>
  error instanceof SeveralLeaders || (error instanceof Error && error.cause instanceof SeveralLeaders);
