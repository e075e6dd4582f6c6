// A cluster of three servers under load, of which one or two are killed: both ends, on streams with three replicas. An election takes
// the servers up to nine seconds, so one test goes through it all.

import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import { describe, expect, it } from 'vitest';
import type { NatsDestinationConfig } from '../../../src/destinations/nats/config.ts';
import { descriptor as destinationDescriptor } from '../../../src/destinations/nats/index.ts';
import { CdcError, type Position, type ReadContext, type Source } from '../../../src/sdk/index.ts';
import { Events, item, laneBatch } from '../../../src/sdk/testing/index.ts';
import { testContext } from '../../../src/sdk/testing/reading.ts';
import { descriptor as sourceDescriptor } from '../../../src/sources/nats/index.ts';
import { deliver } from '../../helpers/deliver.ts';
import { eventually } from '../../helpers/eventually.ts';
import { natsDestinationConfig, natsServers, natsSourceConfig } from '../../helpers/nats.ts';
import { ELECTIONS_MS, NatsCluster } from '../../helpers/nats-cluster.ts';
import { Lane, openReplica } from '../../helpers/postgresql-lane.ts';

const BATCH = 20;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

function destinationConfig(servers: string[], subject: string, atomic: boolean): NatsDestinationConfig {
  const stream_defaults = { storage: 'file', replicas: 3, max_age: 0, discard: 'old', duplicate_window: 120_000 } as const,
    { url: _, ...config } = natsDestinationConfig('', { subject, atomic, servers, stream_defaults });
  return config as NatsDestinationConfig;
}

/** Writes batches until it is stopped, over all faults that may pass. */
class Writer {
  readonly #lane: Lane;
  readonly #isTracked: boolean;
  readonly #running: Promise<void>;
  #isStopped = false;
  count = 0;

  constructor(lane: Lane, isTracked: boolean) {
    this.#lane = lane;
    this.#isTracked = isTracked;
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  /** Resolves once a batch that began after the call is stored. */
  async goesOn(): Promise<void> {
    for (const before = this.count; this.count < before + 2 * BATCH; ) await Promise.race([sleep(20), this.#running]);
  }

  /** How many events there were. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#running;
    await this.#lane.destination.close();
    return this.count;
  }

  async #run(): Promise<void> {
    const events = new Events();
    for (let { point } = this.#lane; !this.#isStopped; await sleep(20)) {
      const some = upTo(BATCH).map((i) => events.create(item(this.count + i, 'x'))),
        batch = laneBatch(some, { previous: point, epoch: this.#lane.epoch });
      await deliver(this.#lane.destination, batch, this.#isTracked);
      point = batch.through;
      this.count += BATCH;
    }
  }
}

/** Reads as the engine does: a reading that fails is begun anew. What was handed over is acknowledged once that is asked for. */
class Sink {
  readonly ids: number[] = [];
  readonly #source: Source;
  readonly #stream: string;
  readonly #over = new AbortController();
  readonly #running: Promise<unknown>;
  #last: Position | null = null;
  isAcknowledging = false;

  constructor(source: Source, stream: string) {
    this.#source = source;
    this.#stream = stream;
    this.#running = Promise.all([this.#insist(() => this.#read()), this.#insist(() => this.#acknowledge())]);
    this.#running.catch(() => undefined);
  }

  async goesOn(): Promise<void> {
    for (const before = this.ids.length; this.ids.length === before; ) await Promise.race([sleep(20), this.#running]);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#running;
    await this.#source.close();
  }

  async #read(): Promise<void> {
    const ctx: ReadContext = {
      maxBatchEvents: 200,
      maxBatchBytes: 1 << 20,
      until: null,
      snapshots: [],
      boundaries: [],
      assign: async () => null,
      revoke: async () => undefined,
      end: async () => undefined,
      reject: async (_, __, error) => Promise.reject(error),
    };
    for await (const batch of this.#source.read(ctx, this.#over.signal)) {
      this.ids.push(...batch.events.map((e) => (e.get('after', 'after') as { id: number }).id));
      this.#last = batch.resume ?? this.#last;
    }
  }

  async #acknowledge(): Promise<void> {
    if (this.isAcknowledging && this.#last !== null) await this.#source.acknowledge({ [this.#stream]: this.#last });
  }

  async #insist(work: () => Promise<void>): Promise<void> {
    for (const { signal } = this.#over; !signal.aborted; await sleep(50)) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof CdcError) || !error.retriable) throw error;
      }
    }
  }
}

const idOf = (data: Uint8Array): number => (JSON.parse(Buffer.from(data).toString()) as { after: { id: number } }).after.id;

/** In the order of the stream; those of places left out. */
async function idsIn(cluster: NatsCluster, stream: string): Promise<number[]> {
  const { state } = await cluster.whole(stream),
    consumer = await jetstream(cluster.nc).consumers.get(stream),
    ids: number[] = [];
  for await (const m of await consumer.consume()) {
    if (!m.subject.startsWith('cdc_run.')) ids.push(idOf(m.data));
    if (m.seq >= state.last_seq) break;
  }
  return ids;
}

/** At-least-once: the last word about each is in order. */
const lastOf = (ids: readonly number[]): number[] => [...new Set([...ids].reverse())].reverse();

describe.skipIf((await natsServers('nats')).length === 0)('a cluster', () => {
  it('whose leader is killed, and that has no quorum for a while, loses nothing, doubles nothing and keeps the order', {
    timeout: 300_000,
  }, async () => {
    await using cluster = await NatsCluster.start();
    const { urls } = cluster,
      atomic = destinationConfig(urls, 'sure.{table}', true),
      sure = new Writer(await Lane.join(atomic, { descriptor: destinationDescriptor }), true);
    await sure.goesOn();
    const leader = await cluster.leaderOf('SURE'),
      // One that knows of the others from it alone.
      loose = destinationConfig([leader.url], 'loose.{table}', false),
      some = new Writer(new Lane(await openReplica(loose, { descriptor: destinationDescriptor }), 1), false);
    await some.goesOn();
    const { url: _, ...from } = natsSourceConfig('', { servers: urls, subject: 'sure.items', ack_wait: 2000 });
    const sink = new Sink(await (sourceDescriptor.create(from as never, testContext('nats')) as Promise<Source>), 'SURE');
    const consumer = () => cluster.jsm.consumers.info('SURE', 'cdc_run_contract');
    await sink.goesOn();

    await leader.kill();
    await Promise.all([sure.goesOn(), some.goesOn()]);
    // A new leader knows what is unfinished: all of it, since nobody has acknowledged anything.
    await eventually(async () => (await consumer()).num_ack_pending > 0, 'unfinished messages', ELECTIONS_MS);
    expect(await consumer()).toMatchObject({ ack_floor: { stream_seq: 0 } });
    sink.isAcknowledging = true;
    await leader.start();
    await cluster.whole('SURE');

    const [one, two] = cluster.nodes;
    await Promise.all([one?.kill(), two?.kill()]);
    await sleep(500);
    await Promise.all([one?.start(), two?.start()]);
    await Promise.all([sure.goesOn(), some.goesOn()]);

    const written = await sure.stop(),
      sent = await some.stop();
    await eventually(
      async () => sink.ids.length >= written && (await consumer()).num_ack_pending === 0,
      'the end of the stream',
      ELECTIONS_MS,
    );
    await sink.stop();
    expect(await idsIn(cluster, 'SURE')).toEqual(upTo(written));
    expect([...new Set(sink.ids)]).toEqual(upTo(written));
    expect(lastOf(sink.ids)).toEqual(upTo(written));
    expect(lastOf(await idsIn(cluster, 'LOOSE'))).toEqual(upTo(sent));
  });
});
