// Records in Avro by a schema of the user's: from a file, or the newest version of a subject. Values find their fields by name.

import { createEnvelope, type EnvelopeType } from '../../envelope/create.ts';
import type { Envelope } from '../../envelope/envelope.ts';
import { type BatchEnvelope, CdcError, type ChangeEvent, type LaneBatch, type Row, type Value } from '../../sdk/index.ts';
import type { KeyFormat, RecordFormatConfig } from '../config.ts';
import type { FormatContext } from '../context.ts';
import { parseJson } from '../json-lossless.ts';
import { keyBytes } from '../keys.ts';
import type { FormattedBatch, RecordEncoder, TopicOf } from '../messages.ts';
import { addRow, encodeEach, type RecordList } from '../record-list.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { headOf } from '../registry/wire.ts';
import { bytesOf } from './bytes-of.ts';
import { rejected } from './rejected.ts';
import { plainValue } from './row-shapes.ts';
import { parseAvro, unreadableSchema } from './schema.ts';
import { applyPolicy, avroSchema, subjectOf } from './subjects.ts';
import { Unfit, type Writer, writerOf } from './writer.ts';

interface Given {
  readonly head: Uint8Array;
  readonly write: Writer;
}

const NO_HEAD = new Uint8Array(0);

export class GivenRecords implements RecordEncoder {
  readonly contentType: string;
  readonly #config: RecordFormatConfig;
  readonly #ctx: FormatContext;
  readonly #keys: KeyFormat;
  readonly #registry: SchemaRegistry | null;
  readonly #file: string | null;
  readonly #writers = new Map<string, Writer>();
  readonly #envelopes = new WeakMap<BatchEnvelope, Envelope>();

  /** `file`: the text of the schema; `null`: `value_schema` names a subject. */
  constructor(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat, registry: SchemaRegistry | null, file: string | null) {
    this.contentType = registry === null ? 'avro/binary' : 'application/vnd.confluent.avro';
    this.#config = config;
    this.#ctx = ctx;
    // Keys have no schema of their own here.
    this.#keys = keys === 'text' ? 'text' : 'json';
    this.#registry = registry;
    this.#file = file;
  }

  async encode(batch: LaneBatch, topicOf: TopicOf, signal: AbortSignal): Promise<FormattedBatch> {
    const given = await this.#given(batch, topicOf, signal);
    if (given instanceof CdcError) return encodeEach(batch, this.#ctx.where, (_list, _event, _index) => fail(given));
    const { envelope } = batch;
    return encodeEach(batch, this.#ctx.where, (list, event, index) => {
      try {
        this.#event(list, event, index, given, envelope);
      } catch (error) {
        throw error instanceof Unfit ? rejected(error, this.#ctx.where) : error;
      }
    });
  }

  async close(): Promise<void> {
    await this.#registry?.close();
  }

  #event(list: RecordList, event: ChangeEvent, index: number, { head, write }: Given, envelope: BatchEnvelope | undefined): void {
    const key = (row: Row | null): Uint8Array | null => keyBytes(row, this.#keys, this.#ctx),
      bytes = (value: Value): Uint8Array =>
        bytesOf((out) => {
          out.raw(head);
          write(out, value);
        });
    if (envelope === undefined || envelope.type === 'row') {
      addRow(list, event, index, { key: (_e, row) => key(row), value: () => bytes(event.after as Row) });
    } else if (envelope.type === 'plain') {
      list.add(index, event, event.table.id.table, key(event.key), bytes(plainValue(event)));
    } else {
      const encoded = this.#envelopeOf(envelope).encode([event]);
      for (let i = 0; i < encoded.event.length; i++) {
        const json = encoded.value[i] ?? null;
        list.take(index, encoded, i, encoded.key[i] ?? null, json === null ? null : bytes(parseJson(Buffer.from(json).toString())));
      }
    }
  }

  /** The head does not depend on the event: one schema for all. */
  async #given({ events }: LaneBatch, topicOf: TopicOf, signal: AbortSignal): Promise<Given | CdcError> {
    const registry = this.#registry;
    try {
      if (this.#file === null) {
        const { id, text } = await (registry as SchemaRegistry).latest(this.#config.value_schema as string, signal);
        return { head: headOf(id), write: this.#writerOf(text) };
      }
      const write = this.#writerOf(this.#file),
        [first] = events;
      if (registry === null || first === undefined) return { head: NO_HEAD, write };
      // The file is no subject: the strategy names one.
      const { value_schema: _file, ...config } = this.#config;
      const subject = subjectOf(config, topicOf(first, first.table.id.table), 'value', '');
      return { head: headOf(await registry.idOf(subject, avroSchema(this.#file), signal)), write };
    } catch (error) {
      return applyPolicy(error, this.#config, this.#ctx.where);
    }
  }

  #writerOf(text: string): Writer {
    let writer = this.#writers.get(text);
    if (writer === undefined) {
      try {
        writer = writerOf(parseAvro(text));
      } catch (cause) {
        throw unreadableSchema('value_schema', cause, this.#ctx.where);
      }
      this.#writers.set(text, writer);
    }
    return writer;
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

function fail(error: CdcError): never {
  throw new CdcError('DESTINATION_EVENT_REJECTED', error.message, {
    ...(error.where === null ? {} : { where: error.where }),
    ...(error.fix === null ? {} : { fix: error.fix }),
    cause: error,
  });
}
