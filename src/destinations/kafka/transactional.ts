// The `kafka` destination with transactions: each batch and the lane's point in one, so that consumers which read committed records
// see each event once. The newest producer of the transactional id fences those before it; the epoch in the points' record tells
// runs apart that claim later than they should.

import type { RecordEncoder } from '../../formats/messages.ts';
import {
  CdcError,
  type Committed,
  type DestinationContext,
  type Finding,
  formatPoint,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type WriteFailure,
  type WriteResult,
} from '../../sdk/index.ts';
import type { KafkaClient, Transaction, TransactionalProducer } from '../../systems/kafka/client.ts';
import { troubleOf } from '../../systems/kafka/driver-errors.ts';
import { abortable } from './abortable.ts';
import { findings } from './check.ts';
import type { KafkaDestinationConfig } from './config.ts';
import { addressed, encodeOptions, isRefusal } from './destination.ts';
import { type EncodeOptions, type Round, requestOf, roundsOf } from './encode.ts';
import { fenced, toKafkaError } from './errors.ts';
import { createPartitioner, type Partitioner } from './partitions.ts';
import { committedOf, pointValue, type StoredPoints } from './point-record.ts';
import { type PointsPlace, PointsTopic, pointsTopicOf } from './points.ts';
import { Topics } from './topics.ts';

export class TransactionalKafkaDestination implements PointHoldingDestination {
  readonly #config: KafkaDestinationConfig;
  readonly #client: KafkaClient;
  readonly #encoder: RecordEncoder;
  readonly #ctx: DestinationContext;
  readonly #topics: Topics;
  readonly #encode: EncodeOptions;
  readonly #where: string;
  #partitioner: Partitioner | null = null;
  #claim: { readonly points: PointsTopic; readonly epoch: number; readonly id: string } | null = null;
  /** `null`: there is none, or what became of its last transaction is not known. */
  #producer: TransactionalProducer | null = null;
  /** What the topic of points holds. */
  #held: PointsPlace | null = null;
  /** A producer has one transaction at a time: workers wait for each other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(config: KafkaDestinationConfig, client: KafkaClient, encoder: RecordEncoder, ctx: DestinationContext) {
    this.#config = config;
    this.#client = client;
    this.#encoder = encoder;
    this.#ctx = ctx;
    this.#topics = new Topics(client, config, ctx.clock);
    this.#encode = encodeOptions(config);
    this.#where = `destination "${ctx.name}"`;
  }

  check(): AsyncIterable<Finding> {
    const pointsTopic = this.#pointsOf({ pipeline: this.#ctx.pipeline, lane: this.#ctx.name }).topic;
    return findings(this.#client, this.#config, { constantTopic: this.#encode.template.constant, pointsTopic, where: this.#where });
  }

  committed(lane: LaneId): Promise<Committed> {
    return this.#inTurn(async () => {
      // Only a new producer makes an end of a transaction whose outcome is not known.
      if (this.#claim !== null && this.#producer === null) await this.#reopen();
      this.#held = await this.#pointsOf(lane).read(this.#claim === null ? null : this.#held);
      return committedOf(this.#held.stored);
    });
  }

  claim(lane: LaneId, epoch: number): Promise<void> {
    return this.#inTurn(() => this.#take(lane, epoch));
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#claim === null) await this.#take(lane, epoch);
      await this.#ready();
      await this.#inTransaction({ epoch, points: points.map(formatPoint) }, () => Promise.resolve());
    });
  }

  write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    return this.#inTurn(async () => {
      const { records, failed } = await addressed(batch, this.#encoder, this.#encode, signal);
      if (failed.length > 0) return { kind: 'refused', failed };
      signal.throwIfAborted();
      await abortable(this.#prepare(records.map((r) => r.topic)), signal, () => this.#drop());
      const next = this.#moved(batch),
        rounds = roundsOf(
          records,
          this.#partitioner as Partitioner,
          this.#topics.partitionsOf,
          this.#config.max_batch_bytes,
          this.#ctx.clock.now(),
        );
      const send = async (transaction: Transaction): Promise<void> => {
        for (const round of rounds) await transaction.send(requestOf(round), this.#config.compression_type);
      };
      try {
        await abortable(this.#inTransaction(next, send), signal, () => this.#drop());
        return { kind: 'stored' };
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return { kind: 'refused', failed: await this.#refusedOf(rounds, error) };
      }
    });
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    const producer = this.#producer;
    this.#producer = null;
    await producer?.disconnect();
    await this.#encoder.close();
  }

  // -- points ------------------------------------------------------------------------------------------------------------

  #pointsOf(lane: LaneId): PointsTopic {
    const topic = this.#config.points_topic ?? pointsTopicOf(lane),
      { clock, random } = this.#ctx;
    return new PointsTopic(this.#client, topic, lane, { clock, random, replicationFactor: this.#config.topic_defaults.replication_factor });
  }

  async #take(lane: LaneId, epoch: number): Promise<void> {
    const points = this.#pointsOf(lane),
      id = this.#config.transactional_id ?? `cdc-run.${lane.pipeline}.${lane.lane}`;
    await points.create();
    const before = await points.read(this.#held);
    // Looked at before the claim, or an older run would fence the newer one.
    this.#assertNotBehind(before.stored, points, epoch);
    this.#drop();
    this.#claim = { points, epoch, id };
    await this.#open(before);
    await this.#inTransaction({ epoch, points: (this.#held as PointsPlace).stored.points }, () => Promise.resolve());
  }

  /** A new producer: whoever had the id before is fenced, and its transaction has an end. */
  async #open(known: PointsPlace | null): Promise<void> {
    const { points, epoch, id } = this.#claimed();
    const producer = this.#client.transactionalProducer({ id, timeoutMs: this.#config.transaction_timeout });
    try {
      await producer.connect();
      const first = await producer.begin();
      await first.abort();
      this.#held = await points.read(known);
      this.#assertNotBehind(this.#held.stored, points, epoch);
    } catch (error) {
      await producer.disconnect();
      throw error;
    }
    this.#producer = producer;
  }

  /** After a failure. A run that came after us must not be fenced by it. */
  async #reopen(): Promise<void> {
    const { points, epoch } = this.#claimed(),
      known = await points.read(this.#held);
    this.#assertNotBehind(known.stored, points, epoch);
    await this.#open(known);
  }

  async #ready(): Promise<void> {
    this.#claimed();
    if (this.#producer === null) await this.#reopen();
  }

  #assertNotBehind({ epoch: held }: StoredPoints, { topic }: PointsTopic, epoch: number): void {
    if (held > epoch) throw fenced(`Topic "${topic}" holds epoch ${held}; this run has epoch ${epoch}.`, this.#where);
  }

  /** What is to be stored once the batch is. Invariant 2: only on top of the point that this batch continues from. */
  #moved({ worker, previous, through }: LaneBatch): StoredPoints {
    const { epoch } = this.#claimed(),
      points = [...(this.#held as PointsPlace).stored.points];
    if (points[worker] !== formatPoint(previous))
      throw fenced('The topic of points holds another point than the one this run has written last.', this.#where);
    points[worker] = formatPoint(through);
    return { epoch, points };
  }

  // -- transactions ------------------------------------------------------------------------------------------------------

  /** Stores what `work` sends together with the points, or nothing of it. */
  async #inTransaction(next: StoredPoints, work: (transaction: Transaction) => Promise<void>): Promise<void> {
    const { points } = this.#claimed(),
      producer = this.#producer as TransactionalProducer;
    try {
      const transaction = await producer.begin();
      await work(transaction);
      const record = { key: points.key, value: pointValue(next), headers: {}, timestamp: String(this.#ctx.clock.now()), partition: 0 };
      const [at] = await transaction.send([{ topic: points.topic, messages: [record] }], 'none');
      await this.#commit(transaction);
      // Behind the record comes the marker of its transaction.
      this.#held = { stored: next, end: (at?.firstOffset ?? -2n) + 2n };
    } catch (error) {
      // The next producer of the id aborts what this one leaves.
      this.#drop(producer);
      throw error;
    }
  }

  async #commit(transaction: Transaction): Promise<void> {
    try {
      await transaction.commit();
    } catch (cause) {
      if (troubleOf(cause) === 'fenced') throw cause;
      throw new CdcError('DESTINATION_OUTCOME_UNKNOWN', 'The connection to Kafka broke while a commit was under way.', {
        where: this.#where,
        retriable: true,
        cause,
      });
    }
  }

  /** Finds out with transactions that are aborted in any case. */
  async #refusedOf(rounds: readonly Round[], cause: unknown): Promise<WriteFailure[]> {
    const failed = new Map<number, WriteFailure>();
    const look = async (round: Round): Promise<void> => {
      const error = await this.#refusalOf(round);
      if (error === null) return;
      const [first] = round;
      if (first !== undefined && round.length === 1) {
        failed.set(first.event, { index: first.event, error: toKafkaError(error, this.#where) });
        return;
      }
      const middle = round.length >> 1;
      await look(round.slice(0, middle));
      await look(round.slice(middle));
    };
    for (const round of rounds) await look(round);
    if (failed.size > 0) return [...failed.values()];
    throw new CdcError('DESTINATION_FAILED', 'The brokers refused a batch, and now take each of its records.', {
      where: this.#where,
      retriable: true,
      cause,
    });
  }

  async #refusalOf(round: Round): Promise<unknown> {
    await this.#ready();
    const producer = this.#producer as TransactionalProducer;
    try {
      const transaction = await producer.begin();
      await transaction.send(requestOf(round), this.#config.compression_type);
      await transaction.abort();
      return null;
    } catch (error) {
      this.#drop(producer);
      if (isRefusal(error)) return error;
      throw error;
    }
  }

  // -- life --------------------------------------------------------------------------------------------------------------

  async #prepare(topics: readonly string[]): Promise<void> {
    await this.#ready();
    if (topics.length > 0) await this.#topics.prepare(topics);
    this.#partitioner ??= await createPartitioner(this.#config);
    this.#partitioner.next();
  }

  /** Nothing more is sent by the producer. */
  #drop(producer: TransactionalProducer | null = this.#producer): void {
    if (this.#producer === producer) this.#producer = null;
    this.#topics.forget();
    void producer?.disconnect();
  }

  #claimed() {
    if (this.#claim === null)
      throw new CdcError('INTERNAL_UNEXPECTED', 'The lane was not claimed before it was written to.', { where: this.#where });
    return this.#claim;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work).catch((error: unknown) => {
      throw toKafkaError(error, this.#where);
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
