// Records by a schema of the user's: from a file, or the newest version of a subject. Values find their fields by name.

import { createEnvelope, type EnvelopeType } from '../envelope/create.ts';
import type { Envelope } from '../envelope/envelope.ts';
import { type BatchEnvelope, CdcError, type ChangeEvent, formatTableId, type LaneBatch, type Row, type Value } from '../sdk/index.ts';
import { plainValue } from './avro/row-shapes.ts';
import { applyPolicy } from './avro/subjects.ts';
import type { KeyFormat, RecordFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import { parseJson } from './json-lossless.ts';
import { keyBytes } from './keys.ts';
import type { FormattedBatch, RecordEncoder, TopicOf } from './messages.ts';
import { addRow, encodeEach, type RecordList } from './record-list.ts';
import { rejected } from './rejected.ts';
import { Unfit } from './unfit.ts';

/** Throws `Unfit`. */
export type GivenWriter = (value: Value | Row) => Uint8Array;

interface GivenWriters {
  readonly value: GivenWriter;
  /** `null`: keys have no schema of their own, and are JSON or text. */
  readonly key: GivenWriter | null;
}

export interface GivenSchema {
  readonly contentType: string;
  /** Asked for each batch. `topic`: for the subject of a schema that is registered. `null`: no schema was given. */
  writer(part: 'key' | 'value', topic: string, signal: AbortSignal): Promise<GivenWriter | null>;
  close(): Promise<void>;
}

export class GivenRecords implements RecordEncoder {
  readonly contentType: string;
  readonly #config: RecordFormatConfig;
  readonly #ctx: FormatContext;
  readonly #keys: KeyFormat;
  readonly #schema: GivenSchema;
  readonly #envelopes = new WeakMap<BatchEnvelope, Envelope>();

  constructor(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat, schema: GivenSchema) {
    this.contentType = schema.contentType;
    this.#config = config;
    this.#ctx = ctx;
    this.#keys = keys;
    this.#schema = schema;
  }

  async encode(batch: LaneBatch, topicOf: TopicOf, signal: AbortSignal): Promise<FormattedBatch> {
    const byTopic = await this.#load(batch, topicOf, signal);
    const { where } = this.#ctx;
    return encodeEach(batch, where, (list, event, index) => {
      const writers = byTopic.get(topicOf(event, formatTableId(event.table.id)));
      if (writers instanceof CdcError) throw refusedEvent(writers);
      try {
        if (writers !== undefined) this.#event(list, event, index, writers, batch.envelope);
      } catch (error) {
        throw error instanceof Unfit ? rejected(error, where) : error;
      }
    });
  }

  close(): Promise<void> {
    return this.#schema.close();
  }

  async #load({ events, skip }: LaneBatch, topicOf: TopicOf, signal: AbortSignal): Promise<ReadonlyMap<string, GivenWriters | CdcError>> {
    const byTopic = new Map<string, GivenWriters | CdcError>();
    for (const [index, event] of events.entries()) {
      const topic = topicOf(event, formatTableId(event.table.id));
      if (skip.has(index) || byTopic.has(topic)) continue;
      const found = this.#writers(topic, signal).catch((error: unknown) => applyPolicy(error, this.#config, this.#ctx.where));
      byTopic.set(topic, await found);
    }
    return byTopic;
  }

  async #writers(topic: string, signal: AbortSignal): Promise<GivenWriters> {
    const value = await this.#schema.writer('value', topic, signal),
      key = await this.#schema.writer('key', topic, signal);
    if (value === null) throw new TypeError('There is no schema of values.');
    return { value, key };
  }

  #event(
    list: RecordList,
    event: ChangeEvent,
    index: number,
    { key: keyOf, value }: GivenWriters,
    envelope: BatchEnvelope | undefined,
  ): void {
    const key = (row: Row | null): Uint8Array | null => {
      if (row === null || keyOf === null || this.#keys === 'json' || this.#keys === 'text') return keyBytes(row, this.#keys, this.#ctx);
      return keyOf(row);
    };
    if (envelope === undefined || envelope.type === 'row') {
      addRow(list, event, index, { key: (_event, row) => key(row), value: () => value(event.after as Row) });
    } else if (envelope.type === 'plain') {
      list.add(index, event, formatTableId(event.table.id), key(event.key), value(plainValue(event)));
    } else {
      const encoded = this.#envelopeOf(envelope).encode([event]);
      for (let i = 0; i < encoded.event.length; i++) {
        const json = encoded.value[i] ?? null;
        list.take(index, encoded, i, encoded.key[i] ?? null, json === null ? null : value(parseJson(Buffer.from(json).toString())));
      }
    }
  }

  #envelopeOf(envelope: BatchEnvelope): Envelope {
    let made = this.#envelopes.get(envelope);
    if (made === undefined) {
      made = createEnvelope({ type: envelope.type as EnvelopeType, options: envelope.options }, envelope.context);
      this.#envelopes.set(envelope, made);
    }
    return made;
  }
}

/** As an error of the event: what the registry says of its schema. */
function refusedEvent(error: CdcError): CdcError {
  return new CdcError('DESTINATION_EVENT_REJECTED', `${error.code}: ${error.message}`, {
    ...(error.where === null ? {} : { where: error.where }),
    ...(error.fix === null ? {} : { fix: error.fix }),
    cause: error,
  });
}
