// The `kafka` destination without transactions: at-least-once. One batch is cut into a few requests; the first record that a
// broker refuses for good ends the call, so that nothing overtakes it.

import type { RecordEncoder } from '../../formats/messages.ts';
import type { Clock, Committed, Destination, DestinationContext, Finding, LaneBatch, WriteResult } from '../../sdk/index.ts';
import type { KafkaClient, Producer } from '../../systems/kafka/client.ts';
import { troubleOf } from '../../systems/kafka/driver-errors.ts';
import { abortable } from './abortable.ts';
import { findings } from './check.ts';
import type { KafkaDestinationConfig } from './config.ts';
import { address, type EncodeOptions, type Round, requestOf, roundsOf } from './encode.ts';
import { toKafkaError } from './errors.ts';
import { createPartitioner, type Partitioner } from './partitions.ts';
import { TopicTemplate } from './topic-template.ts';
import { Topics } from './topics.ts';

export function encodeOptions(config: KafkaDestinationConfig): EncodeOptions {
  return {
    template: new TopicTemplate(config.topic),
    keyField: config.key_field ?? null,
    headers: config.headers,
  };
}

/** The records of a batch, in the format that is configured, with their topics and keys. */
export async function addressed(batch: LaneBatch, encoder: RecordEncoder, options: EncodeOptions, signal: AbortSignal) {
  const { records, failed } = await encoder.encode(batch, (event, topic) => options.template.of(event, topic), signal);
  return failed.length > 0 ? { records: [], failed } : address(batch, records, options);
}

/** A broker refuses the round: one of its records, for good. */
export const isRefusal = (error: unknown): boolean => ['too_large', 'refused_record'].includes(troubleOf(error));

/** The first record of the rounds that is refused, and why. */
class Refused extends Error {
  readonly event: number;
  constructor(event: number, cause: unknown) {
    super('refused', { cause });
    this.event = event;
  }
}

export class KafkaDestination implements Destination {
  readonly #config: KafkaDestinationConfig;
  readonly #client: KafkaClient;
  readonly #encoder: RecordEncoder;
  readonly #topics: Topics;
  readonly #clock: Clock;
  readonly #encode: EncodeOptions;
  readonly #where: string;
  #partitioner: Partitioner | null = null;
  #producer: Promise<Producer> | null = null;

  constructor(config: KafkaDestinationConfig, client: KafkaClient, encoder: RecordEncoder, ctx: DestinationContext) {
    this.#config = config;
    this.#client = client;
    this.#encoder = encoder;
    this.#topics = new Topics(client, config, ctx.clock);
    this.#clock = ctx.clock;
    this.#encode = encodeOptions(config);
    this.#where = `destination "${ctx.name}"`;
  }

  check(): AsyncIterable<Finding> {
    return findings(this.#client, this.#config, { constantTopic: this.#encode.template.constant, pointsTopic: null, where: this.#where });
  }

  committed(): Promise<Committed> {
    return Promise.resolve({ kind: 'untracked' });
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const { records, failed } = await addressed(batch, this.#encoder, this.#encode, signal);
    if (failed.length > 0) return { kind: 'refused', failed };
    if (records.length === 0) return { kind: 'stored' };
    try {
      await abortable(this.#topics.prepare(records.map((r) => r.topic)), signal, () => undefined);
      this.#partitioner ??= await createPartitioner(this.#config);
      this.#partitioner.next();
      const rounds = roundsOf(records, this.#partitioner, this.#topics.partitionsOf, this.#config.max_batch_bytes, this.#clock.now());
      for (const round of rounds) await this.#send(round, signal);
      return { kind: 'stored' };
    } catch (error) {
      if (!(error instanceof Refused)) throw toKafkaError(error, this.#where);
      // Everything of earlier events is there; of this one and later ones some may be, and come again.
      const written = [...new Set(records.map((r) => r.event))].filter((event) => event < error.event);
      return { kind: 'partial', written, failed: [{ index: error.event, error: toKafkaError(error.cause, this.#where) }] };
    }
  }

  async close(): Promise<void> {
    const producer = await this.#producer?.catch(() => null);
    this.#producer = null;
    await producer?.disconnect();
    await this.#encoder.close();
  }

  async #send(round: Round, signal: AbortSignal): Promise<void> {
    try {
      await this.#request(round, signal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [first] = round;
      if (first === undefined || round.length === 1) throw new Refused(first?.event ?? 0, error);
      const middle = round.length >> 1;
      await this.#send(round.slice(0, middle), signal);
      await this.#send(round.slice(middle), signal);
    }
  }

  /** After any failure the producer is thrown away: see `Producer`. */
  async #request(round: Round, signal: AbortSignal): Promise<void> {
    this.#producer ??= this.#connect();
    const opening = this.#producer;
    const giveUp = (): void => {
      if (this.#producer === opening) this.#producer = null;
      this.#topics.forget();
      void opening.then((p) => p.disconnect()).catch(() => undefined);
    };
    try {
      const sent = opening.then((producer) => producer.send(requestOf(round), this.#config.compression_type));
      await abortable(sent, signal, giveUp);
    } catch (error) {
      giveUp();
      throw error;
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.#client.producer({ idempotent: this.#config.idempotent });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      await producer.disconnect();
      throw error;
    }
  }
}
