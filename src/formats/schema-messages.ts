// Messages that need a schema to be read at all (Avro, Protobuf): by the one whose id they carry, which the registry has, or by one
// that the configuration gives. What the bytes say is the codec's matter.

import { changeOf, type RowShape } from '../envelope/debezium/decode.ts';
import { CdcError, type Column, type TableSchema, type Value } from '../sdk/index.ts';
import { type MessageFormatConfig, messageEnvelopeOf } from './config.ts';
import type { FormatContext } from './context.ts';
import { EnvelopeMessages } from './envelope-messages.ts';
import { invalidMessage } from './invalid-message.ts';
import { keyOf } from './json-messages.ts';
import type { Decoded, Message, MessageDecoder } from './messages.ts';
import { plainRecord } from './plain-record.ts';
import type { SchemaRegistry, SchemaType } from './registry/client.ts';
import { HEAD_BYTES, schemaIdOf } from './registry/wire.ts';
import { isRow, type MessageKey, RowMessages } from './row-messages.ts';

/** What a message says. */
export interface SchemaRead {
  readonly value: Value;
  /** Of the rows: those of the message itself, or of `after` within a change event. */
  readonly columns: readonly Column[];
  /** Of a change event. */
  readonly shape: RowShape;
}

/** `S`: a schema that is ready to read with. */
export interface SchemaCodec<S> {
  readonly type: SchemaType;
  /** For people: `Avro`. */
  readonly name: string;
  /** Throws `CdcError`. */
  prepare(text: string, references: readonly { readonly name: string; readonly text: string }[]): S;
  /** `at`: where the head of the wire format ends; 0 without one. Throws `SOURCE_DATA_INVALID`. */
  read(schema: S, bytes: Uint8Array, at: number): SchemaRead;
  /** Is a key in this format, or `null` for one whose first byte shows it: beside such values keys in plain text are common? */
  readonly hasKeys: boolean | null;
}

export interface Given<S> {
  readonly key: S | null;
  readonly value: S | null;
}

export class SchemaMessages<S> implements MessageDecoder {
  readonly #config: MessageFormatConfig;
  readonly #ctx: FormatContext;
  readonly #registry: SchemaRegistry | null;
  readonly #codec: SchemaCodec<S>;
  readonly #given: Given<S>;
  /** By the id of the schema: as many as the registry's cache keeps texts. */
  readonly #prepared = new Map<number, S | CdcError>();
  readonly #envelope: MessageFormatConfig['envelope'];
  readonly #rows: RowMessages;
  readonly #changes: EnvelopeMessages;

  constructor(
    config: MessageFormatConfig,
    ctx: FormatContext,
    registry: SchemaRegistry | null,
    codec: SchemaCodec<S>,
    given: Given<S>,
    placeholder?: string,
  ) {
    this.#config = config;
    this.#ctx = ctx;
    this.#registry = registry;
    this.#codec = codec;
    this.#given = given;
    this.#envelope = messageEnvelopeOf(config);
    this.#rows = new RowMessages(config, ctx);
    this.#changes = new EnvelopeMessages(config, this.#envelope === 'debezium', placeholder);
  }

  async decode(messages: readonly Message[], signal: AbortSignal): Promise<readonly Decoded[]> {
    if (this.#registry !== null) await this.#load(messages, this.#registry, signal);
    return messages.map((message) => {
      try {
        return this.#decode(message);
      } catch (cause) {
        return invalidMessage(cause, this.#ctx);
      }
    });
  }

  table(topic: string): TableSchema {
    return (this.#envelope === 'row' ? this.#rows : this.#changes).tables.known(topic);
  }

  async close(): Promise<void> {
    await this.#registry?.close();
  }

  /** All schemas that the messages name are known afterwards; one that the registry does not have is an error of its messages. */
  async #load(messages: readonly Message[], registry: SchemaRegistry, signal: AbortSignal): Promise<void> {
    const ids = new Set<number>();
    const note = (bytes: Uint8Array | null): void => {
      if (bytes === null || bytes.length < HEAD_BYTES || bytes[0] !== 0) return;
      const id = schemaIdOf(bytes),
        known = this.#prepared.get(id);
      // What was not there may have come since.
      if (known === undefined || known instanceof CdcError) ids.add(id);
    };
    for (const { key, value } of messages) {
      note(value);
      if (this.#codec.hasKeys !== false) note(key);
    }
    for (const id of ids) this.#prepared.set(id, await this.#fetch(id, registry, signal));
  }

  async #fetch(id: number, registry: SchemaRegistry, signal: AbortSignal): Promise<S | CdcError> {
    const { type, name } = this.#codec;
    try {
      const schema = await registry.byId(id, signal);
      if (schema.type !== type)
        return new CdcError('SOURCE_DATA_INVALID', `The schema ${id} is one of ${schema.type}, not of ${name}.`, {
          where: this.#ctx.where,
          fix: 'Set message_format to what the producer writes.',
        });
      return this.#codec.prepare(schema.text, await registry.referencesOf(schema, signal));
    } catch (error) {
      if (error instanceof CdcError && !error.retriable && error.code === 'REGISTRY_SCHEMA_UNKNOWN') return error;
      throw error;
    }
  }

  #decode({ topic, key, value }: Message): Decoded {
    if (this.#envelope === 'row') {
      if (value === null) return this.#rows.message(topic, this.#key(key), null);
      const { value: row, columns } = this.#read(value, this.#given.value);
      if (!isRow(row)) throw new CdcError('SOURCE_DATA_INVALID', 'The value is no record.');
      return this.#rows.message(topic, this.#key(key), row, columns);
    }
    // The tombstone behind a delete says nothing new.
    if (value === null) return null;
    const { value: record, columns, shape } = this.#read(value, this.#given.value),
      named = this.#key(key);
    const keyRow = named !== null && 'row' in named ? named.row : null;
    const decoded = this.#envelope === 'plain' ? plainRecord(record) : changeOf(record, shape, keyRow);
    return decoded === null ? null : this.#changes.message(topic, decoded, columns);
  }

  #key(key: Uint8Array | null): MessageKey {
    if (key === null) return null;
    const { hasKeys } = this.#codec,
      isOurs = hasKeys ?? (this.#given.key !== null || (key.length >= HEAD_BYTES && key[0] === 0));
    if (!isOurs) return keyOf(key, this.#config.key_format);
    const { value } = this.#read(key, this.#given.key);
    return isRow(value) ? { row: value } : { bare: value };
  }

  #read(bytes: Uint8Array, given: S | null): SchemaRead {
    if (this.#registry !== null) return this.#codec.read(this.#registered(bytes), bytes, HEAD_BYTES);
    if (given === null) throw new CdcError('SOURCE_DATA_INVALID', 'There is no schema for it.', { fix: 'Set key_schema.' });
    return this.#codec.read(given, bytes, 0);
  }

  #registered(bytes: Uint8Array): S {
    const prepared = this.#prepared.get(schemaIdOf(bytes));
    if (prepared === undefined) throw new CdcError('INTERNAL_UNEXPECTED', 'A schema was not loaded.');
    if (prepared instanceof CdcError) throw prepared;
    return prepared;
  }
}
