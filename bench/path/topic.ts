// A topic that is watched while somebody fills it: how much a reader of committed records could have read by when, and what that had
// cost by then.

import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer } from '@platformatic/kafka';
import kafkajs from 'kafkajs';
import { round } from '../lib/cpu.ts';
import { busySeconds, cpuSeconds, statusOf } from '../lib/processes.ts';
import type { Run } from '../lib/rounds.ts';

export interface Broker {
  /** Host and port. */
  readonly address: string;
  /** `null`: somebody else's. */
  readonly pid: number | null;
}

/** Seconds of CPU are those until then. */
interface Look {
  /** µs of the monotonic clock, which a CPU profile goes by as well. */
  readonly at: number;
  readonly records: number;
  /** Of the process that fills the topic, and of its main thread. */
  readonly cpu: number;
  readonly main: number;
  readonly broker: number;
  readonly machine: number;
  /** Of the process, at most until then. */
  readonly peakMb: number;
}

/** Who fills the topic. */
export interface Filler {
  readonly pid: number;
  /** Why it will not come to its end. */
  failure(): string | null | Promise<string | null>;
}

export interface PathRun extends Run {
  /** `eventsPerSecond` and `cpu` are from the start on; these leave out the first fifth, and so what starting costs. */
  readonly steadyPerSecond: number;
  readonly steadyCpu: number;
  /** CPU µs per event; part of `others`. */
  readonly broker: number;
  /** From the start on. */
  readonly firstRecordSeconds: number;
  readonly peakMb: number;
}

/** A part of a run, as a profile needs it. */
export interface Part {
  readonly fromMicros: number;
  readonly toMicros: number;
  readonly events: number;
  /** CPU µs per event of the process, and of its main thread. */
  readonly cpu: number;
  readonly main: number;
}

const LOOK_MS = 50,
  PATIENCE_MS = 120_000,
  START_PART = 0.2,
  SAMPLE = 1000;
/** All contenders write to topics like this one. */
const PARTITIONS = 3;

const nowMicros = (): number => Number(process.hrtime.bigint() / 1000n);

export class WatchedTopic implements AsyncDisposable {
  readonly name: string;
  readonly #broker: Broker;
  readonly #admin: kafkajs.Admin;
  readonly #consumer: Consumer;
  #began: Look | null = null;
  #first: Look | null = null;
  #fifth: Look | null = null;
  #last: Look | null = null;

  private constructor(name: string, broker: Broker) {
    this.name = name;
    this.#broker = broker;
    this.#admin = new kafkajs.Kafka({ clientId: 'bench', brokers: [broker.address], logLevel: kafkajs.logLevel.NOTHING }).admin();
    this.#consumer = new Consumer({ clientId: 'bench', groupId: `${name}.watcher`, bootstrapBrokers: [broker.address] });
  }

  static async create(name: string, broker: Broker): Promise<WatchedTopic> {
    const topic = new WatchedTopic(name, broker);
    await topic.#admin.connect();
    await topic.#admin.createTopics({ waitForLeaders: false, topics: [{ topic: name, numPartitions: PARTITIONS }] });
    // It is confirmed before the broker that leads it knows of it.
    while ((await topic.#records().catch(() => null)) === null) await sleep(LOOK_MS);
    return topic;
  }

  /** From here on time counts. `pid`: the process runs already. */
  begin(pid: number | null = null): void {
    this.#began = this.#look(0, pid);
  }

  /** Resolves when all events can be read. */
  async filled(events: number, filler: Filler): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    for (; ; await sleep(LOOK_MS)) {
      const look = this.#look(await this.#records(), filler.pid);
      if (look.records > 0) this.#first ??= look;
      if (look.records >= events * START_PART) this.#fifth ??= look;
      this.#last = look;
      if (look.records === events) return;
      const failure = look.records > events ? 'more than there are' : performance.now() > until ? 'late' : await filler.failure();
      if (failure !== null) throw new Error(`${look.records} of ${events} records arrived: ${failure}`);
    }
  }

  /** `walsender`: seconds of its CPU. */
  run(walsender: number): PathRun {
    const began = this.#began as Look,
      last = this.#last as Look,
      { events, cpu: steadyCpu, fromMicros, toMicros } = this.steady();
    const perEvent = (of: (look: Look) => number): number => ((of(last) - of(began)) / last.records) * 1e6,
      cpu = perEvent((l) => l.cpu),
      server = (walsender / last.records) * 1e6;
    return {
      eventsPerSecond: (last.records / (last.at - began.at)) * 1e6,
      cpu,
      server,
      others: perEvent((l) => l.machine) - cpu - server,
      steadyPerSecond: (events / (toMicros - fromMicros)) * 1e6,
      steadyCpu,
      broker: perEvent((l) => l.broker),
      firstRecordSeconds: ((this.#first as Look).at - began.at) / 1e6,
      peakMb: round(last.peakMb, 0),
    };
  }

  whole(): Part {
    return partOf(this.#began as Look, this.#last as Look);
  }

  /** Without the first fifth. */
  steady(): Part {
    return partOf(this.#fifth as Look, this.#last as Look);
  }

  /** Of a value, on average over the first ones: that all do the same work. */
  async valueBytes(): Promise<number> {
    const stream = await this.#consumer.consume({ topics: [this.name], mode: 'earliest', autocommit: false });
    let bytes = 0,
      count = 0;
    for await (const { value } of stream) {
      bytes += value.length;
      if (++count === SAMPLE) break;
    }
    await stream.close();
    return round(bytes / count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#consumer.close();
    await this.#admin.deleteTopics({ topics: [this.name] });
    await this.#admin.disconnect();
  }

  /** That a consumer of committed records could read. */
  async #records(): Promise<number> {
    const ends = await this.#consumer.listOffsets({ topics: [this.name], isolationLevel: 'READ_COMMITTED' });
    return (ends.get(this.name) ?? []).reduce((sum, end) => sum + Number(end), 0);
  }

  /** A process that is through may be gone: then it has cost what it had before. */
  #look(records: number, pid: number | null): Look {
    const status = pid === null ? null : statusOf(pid),
      before = this.#last;
    return {
      at: nowMicros(),
      records,
      cpu: (pid === null ? null : cpuSeconds(pid)) ?? before?.cpu ?? 0,
      main: (pid === null ? null : cpuSeconds(pid, pid)) ?? before?.main ?? 0,
      peakMb: status?.peak ?? before?.peakMb ?? 0,
      broker: this.#broker.pid === null ? 0 : (cpuSeconds(this.#broker.pid) ?? 0),
      machine: busySeconds(),
    };
  }
}

function partOf(from: Look, to: Look): Part {
  const events = to.records - from.records,
    perEvent = (of: (look: Look) => number): number => ((of(to) - of(from)) / events) * 1e6;
  return { fromMicros: from.at, toMicros: to.at, events, cpu: perEvent((l) => l.cpu), main: perEvent((l) => l.main) };
}
