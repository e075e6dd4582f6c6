// The destination as the engine sees it. At-least-once: a batch is stored once the broker has acknowledged all of it; after any doubt it
// is sent again, and readers know repeats by the id in the user properties.

import { randomBytes } from 'node:crypto';
import { openRecordEncoder } from '../../formats/create.ts';
import type { RecordEncoder } from '../../formats/messages.ts';
import type {
  CdcError,
  ChangeEvent,
  Committed,
  Destination,
  DestinationContext,
  Finding,
  LaneBatch,
  WriteResult,
} from '../../sdk/index.ts';
import { describeEndpoint, type Endpoint, endpointOf } from '../../systems/mqtt/endpoint.ts';
import { brokerFindings, error as errorFinding, warning } from '../../systems/mqtt/findings.ts';
import { NameTemplate } from '../../systems/name-template.ts';
import type { MqttConfig } from './config.ts';
import { cleanLevel, encodeMessages, type OutgoingMessage } from './encode.ts';
import { classify, stopped } from './errors.ts';
import { Publisher } from './publisher.ts';

export async function createDestination(config: MqttConfig, ctx: DestinationContext): Promise<MqttDestination> {
  return new MqttDestination(config, ctx, await openRecordEncoder(config, ctx));
}

export class MqttDestination implements Destination {
  readonly #config: MqttConfig;
  readonly #endpoint: Endpoint;
  readonly #encoder: RecordEncoder;
  readonly #topic: NameTemplate;
  readonly #where: string;
  #opening: Promise<Publisher> | null = null;

  constructor(config: MqttConfig, ctx: DestinationContext, encoder: RecordEncoder) {
    this.#config = config;
    this.#endpoint = endpointOf(config);
    this.#encoder = encoder;
    this.#topic = new NameTemplate(config.topic, '/', cleanLevel);
    this.#where = `destination "${ctx.name}"`;
  }

  /** With a connection of its own, so that none is left open. */
  async *check(): AsyncIterable<Finding> {
    const { qos, protocol_version: version } = this.#config;
    try {
      const publisher = await this.#open(false);
      publisher.drop();
      yield* brokerFindings(this.#endpoint);
    } catch (cause) {
      const { code, message, fix } = this.#classified(cause);
      yield errorFinding('reachable', message, fix ?? 'Look at the broker.', code);
      return;
    }
    if (qos === 0) yield warning('qos', 'with qos 0 messages may be lost: nobody confirms them', 'Set `qos: 1`.');
    if (version === '3.1.1')
      yield warning(
        'protocol_version',
        'MQTT 3.1.1 carries no key, id and headers, and its brokers drop messages that the user may not send without a word',
        "Set `protocol_version: '5'`.",
      );
  }

  committed(): Promise<Committed> {
    return Promise.resolve({ kind: 'untracked' });
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const topicOf = (event: ChangeEvent, topic: string): string => this.#topic.of(event, topic),
      { records, failed } = await this.#encoder.encode(batch, topicOf, signal);
    if (failed.length > 0) return { kind: 'refused', failed };
    if (records.event.length === 0) return { kind: 'stored' };
    return this.#untilAborted(signal, () => this.#deliver(batch, records));
  }

  async close(): Promise<void> {
    const publisher = await this.#opening?.catch(() => null);
    this.#opening = null;
    await publisher?.close();
    await this.#encoder.close();
  }

  async #deliver(batch: LaneBatch, records: Parameters<typeof encodeMessages>[1]): Promise<WriteResult> {
    const publisher = await this.#ready(),
      { messages, failed } = encodeMessages(batch, records, {
        topic: this.#topic,
        contentType: this.#encoder.contentType,
        version: this.#endpoint.version,
        maxBytes: least(this.#config.max_message_size ?? null, publisher.maxPacketBytes),
      });
    if (failed.length > 0) return { kind: 'refused', failed };
    const { qos, retain } = this.#config,
      refused = await publisher.publish(messages, { qos, retain });
    return refused.size === 0 ? { kind: 'stored' } : this.#partial(messages, refused);
  }

  #partial(messages: readonly OutgoingMessage[], refused: ReadonlyMap<number, Error>): WriteResult {
    return {
      kind: 'partial',
      written: [...new Set(messages.map((m) => m.event))].filter((event) => !refused.has(event)),
      failed: [...refused].map(([index, error]) => ({ index, error: this.#classified(error) })),
    };
  }

  async #ready(): Promise<Publisher> {
    const opening = this.#opening,
      known = await opening?.catch(() => null);
    if (known?.isOpen) return known;
    this.#opening = this.#open(true);
    return this.#opening;
  }

  #open(isOurs: boolean): Promise<Publisher> {
    const { client_id: given, max_in_flight: maxInFlight } = this.#config,
      clientId = isOurs && given !== undefined ? given : `cdc-run-${randomBytes(6).toString('hex')}`;
    return Publisher.open(this.#endpoint, { clientId, clean: true, expirySeconds: 0, receiveMaximum: 1 }, maxInFlight);
  }

  /** After any failure the connection is thrown away: nothing of the batch may be sent behind our back. */
  async #untilAborted(signal: AbortSignal, work: () => Promise<WriteResult>): Promise<WriteResult> {
    if (signal.aborted) throw stopped(this.#where);
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(stopped(this.#where));
    });
    signal.addEventListener('abort', abort, { once: true });
    const working = work();
    try {
      return await Promise.race([working, aborted]);
    } catch (error) {
      working.catch(() => undefined);
      this.#giveUp();
      throw this.#classified(error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #giveUp(): void {
    const opening = this.#opening;
    this.#opening = null;
    void opening?.then(
      (publisher) => publisher.drop(),
      () => {},
    );
  }

  #classified(error: unknown): CdcError {
    return classify(error, describeEndpoint(this.#endpoint), this.#where);
  }
}

const least = (a: number | null, b: number | null): number | null => (a === null ? b : b === null ? a : Math.min(a, b));
