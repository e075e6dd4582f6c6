// Records whose schema is not their table's: logical messages, BEGIN and END of transactions. The envelope writes them in JSON
// with their schema; both become Avro. Slow (some 20 µs a record) and for any record.

import type { Envelope } from '../../envelope/envelope.ts';
import { type CdcError, type EncodedBatch, type LaneBatch, type Row, toCdcError, type Value } from '../../sdk/index.ts';
import type { RecordFormatConfig } from '../config.ts';
import { parseJson, stringifyJson } from '../json-lossless.ts';
import type { TopicOf } from '../messages.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { headOf } from '../registry/wire.ts';
import { rejected } from '../rejected.ts';
import { Unfit } from '../unfit.ts';
import { bytesOf } from './bytes-of.ts';
import { avroOfConnect } from './connect-schema.ts';
import { connectOfJson, valueWriter } from './connect-value.ts';
import { schemaName } from './names.ts';
import { applyPolicy, avroSchema, subjectOf } from './subjects.ts';
import type { Writer } from './writer.ts';

export interface MadeRecord {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: EncodedBatch['headers'][number];
  readonly timestampMs: number;
}

/** A schema that was met, by its JSON. */
interface Known {
  readonly text: string;
  readonly name: string;
  readonly write: Writer;
}

export class GeneralRecords {
  readonly #envelope: Envelope;
  readonly #config: RecordFormatConfig;
  readonly #registry: SchemaRegistry;
  readonly #avroKeys: boolean;
  readonly #where: string;
  readonly #known = new Map<string, Known>();

  constructor(envelope: Envelope, config: RecordFormatConfig, registry: SchemaRegistry, avroKeys: boolean, where: string) {
    this.#envelope = envelope;
    this.#config = config;
    this.#registry = registry;
    this.#avroKeys = avroKeys;
    this.#where = where;
  }

  /** The records of these events, by the index of the event. What fails is in `failed`. */
  async make(
    { events }: LaneBatch,
    indices: readonly number[],
    topicOf: TopicOf,
    signal: AbortSignal,
    failed: Map<number, CdcError>,
  ): Promise<ReadonlyMap<number, readonly MadeRecord[]>> {
    const chosen = indices.map((i) => events[i] as LaneBatch['events'][number]),
      encoded = this.#envelope.encode(chosen);
    const made = new Map<number, MadeRecord[]>();
    for (let r = 0; r < encoded.event.length; r++) {
      const at = encoded.event[r] as number,
        index = indices[at] as number;
      if (failed.has(index)) continue;
      const topic = encoded.topic[r] as string,
        subject = topicOf(chosen[at] as LaneBatch['events'][number], topic);
      const value = await this.#bytes(encoded.value[r] ?? null, subject, 'value', signal),
        key = this.#avroKeys ? await this.#bytes(encoded.key[r] ?? null, subject, 'key', signal) : payloadBytes(encoded.key[r] ?? null);
      const error = [key, value].find((part) => part instanceof Error);
      if (error instanceof Error) {
        failed.set(index, toCdcError(error));
        made.delete(index);
        continue;
      }
      const records = made.get(index) ?? [];
      made.set(index, records);
      records.push({
        topic,
        key: key as Uint8Array | null,
        value: value as Uint8Array | null,
        headers: encoded.headers[r] as MadeRecord['headers'],
        timestampMs: encoded.timestampMs[r] as number,
      });
    }
    return made;
  }

  async #bytes(json: Uint8Array | null, topic: string, part: 'key' | 'value', signal: AbortSignal): Promise<Uint8Array | null | CdcError> {
    if (json === null) return null;
    const { schema, payload } = parseJson(Buffer.from(json).toString()) as Row,
      known = this.#knownOf(schema as Row);
    try {
      const id = await this.#registry.idOf(subjectOf(this.#config, topic, part, known.name), avroSchema(known.text), signal);
      return bytesOf((out) => {
        out.raw(headOf(id));
        known.write(out, payload as Value);
      });
    } catch (error) {
      return error instanceof Unfit ? rejected(error, this.#where) : applyPolicy(error, this.#config, this.#where);
    }
  }

  #knownOf(json: Row): Known {
    const key = JSON.stringify(json);
    let known = this.#known.get(key);
    if (known === undefined) {
      const schema = connectOfJson(json);
      known = { text: JSON.stringify(avroOfConnect(schema)), name: schemaName(schema.name ?? ''), write: valueWriter(schema) };
      this.#known.set(key, known);
    }
    return known;
  }
}

/** A key that stays JSON goes without its schema, like all others of the topic. */
function payloadBytes(json: Uint8Array | null): Uint8Array | null {
  if (json === null) return null;
  const { payload } = parseJson(Buffer.from(json).toString()) as Row;
  return Buffer.from(stringifyJson(payload as Value));
}
