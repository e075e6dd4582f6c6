// Messages in Protobuf → rows or change events: by the schema whose id they carry, or by a file.

import type protobuf from 'protobufjs';
import { decodeDebeziumRow } from '../../envelope/debezium/decode.ts';
import { CdcError, type Column, type Row } from '../../sdk/index.ts';
import { plainRecord } from '../avro/messages.ts';
import { type MessageFormatConfig, messageEnvelopeOf } from '../config.ts';
import type { FormatContext } from '../context.ts';
import { EnvelopeMessages } from '../envelope-messages.ts';
import { invalidMessage } from '../invalid-message.ts';
import { keyOf } from '../json-messages.ts';
import type { Decoded, Message, MessageDecoder } from '../messages.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { HEAD_BYTES, readMessageIndexes, schemaIdOf } from '../registry/wire.ts';
import { type MessageKey, RowMessages } from '../row-messages.ts';
import type { ProtoTexts } from './given-schema.ts';
import { messageAt, messageNamed, type ProtoFile, parseProto } from './schema.ts';
import { columnsOf, decoderOf } from './values.ts';

interface Read {
  readonly row: Row;
  readonly columns: readonly Column[];
}

export class ProtobufMessages implements MessageDecoder {
  readonly #config: MessageFormatConfig;
  readonly #ctx: FormatContext;
  readonly #registry: SchemaRegistry | null;
  readonly #given: { readonly key: protobuf.Type | null; readonly value: protobuf.Type | null };
  readonly #files = new Map<number, ProtoFile | CdcError>();
  readonly #columns = new WeakMap<protobuf.Type, readonly Column[]>();
  readonly #envelope: MessageFormatConfig['envelope'];
  readonly #rows: RowMessages;
  readonly #changes: EnvelopeMessages;

  constructor(config: MessageFormatConfig, ctx: FormatContext, registry: SchemaRegistry | null, texts: ProtoTexts) {
    this.#config = config;
    this.#ctx = ctx;
    this.#registry = registry;
    this.#envelope = messageEnvelopeOf(config);
    this.#rows = new RowMessages(config, ctx);
    this.#changes = new EnvelopeMessages(config, this.#envelope === 'debezium');
    this.#given = { key: this.#ofFile(texts.key, config.key_message), value: this.#ofFile(texts.value, config.value_message) };
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

  table(topic: string): ReturnType<MessageDecoder['table']> {
    return (this.#envelope === 'row' ? this.#rows : this.#changes).tables.known(topic);
  }

  async close(): Promise<void> {
    await this.#registry?.close();
  }

  #ofFile(text: ProtoTexts['key'], name: string | undefined): protobuf.Type | null {
    if (text === null) return null;
    const found = messageNamed(this.#parse(text.text, text.references), name);
    if (found !== null) return found.type;
    throw new CdcError('SOURCE_MISCONFIGURED', `The schema has no message${name === undefined ? '' : ` "${name}"`}.`, {
      where: this.#ctx.where,
      fix: 'Correct value_message or key_message.',
    });
  }

  #parse(text: string, references: NonNullable<ProtoTexts['key']>['references']): ProtoFile {
    try {
      return parseProto(text, references);
    } catch (cause) {
      throw new CdcError('REGISTRY_SCHEMA_UNKNOWN', `A schema is no Protobuf: ${(cause as Error).message}`, {
        where: this.#ctx.where,
        fix: 'Correct the schema.',
        cause,
      });
    }
  }

  /** All schemas that the messages name are known afterwards. */
  async #load(messages: readonly Message[], registry: SchemaRegistry, signal: AbortSignal): Promise<void> {
    const ids = new Set<number>();
    for (const { key, value } of messages) {
      for (const bytes of [value, this.#config.key_format === 'protobuf' ? key : null]) {
        if (bytes === null || bytes.length < HEAD_BYTES || bytes[0] !== 0) continue;
        const id = schemaIdOf(bytes),
          known = this.#files.get(id);
        if (known === undefined || known instanceof CdcError) ids.add(id);
      }
    }
    for (const id of ids) this.#files.set(id, await this.#fetch(id, registry, signal));
  }

  async #fetch(id: number, registry: SchemaRegistry, signal: AbortSignal): Promise<ProtoFile | CdcError> {
    try {
      const schema = await registry.byId(id, signal);
      if (schema.type !== 'PROTOBUF')
        return new CdcError('SOURCE_DATA_INVALID', `The schema ${id} is one of ${schema.type}, not of Protobuf.`, {
          where: this.#ctx.where,
          fix: 'Set message_format to what the producer writes.',
        });
      return this.#parse(schema.text, await registry.referencesOf(schema, signal));
    } catch (error) {
      if (error instanceof CdcError && error.code === 'REGISTRY_SCHEMA_UNKNOWN') return error;
      throw error;
    }
  }

  #decode({ topic, key, value }: Message): Decoded {
    if (this.#envelope === 'row') {
      if (value === null) return this.#rows.message(topic, this.#key(key), null);
      const { row, columns } = this.#read(value, this.#given.value);
      return this.#rows.message(topic, this.#key(key), row, columns);
    }
    // The tombstone behind a delete says nothing new.
    if (value === null) return null;
    const { row } = this.#read(value, this.#given.value),
      named = this.#key(key);
    const keyRow = named !== null && 'row' in named ? named.row : null;
    return this.#changes.message(topic, this.#envelope === 'plain' ? plainRecord(row) : decodeDebeziumRow(row, keyRow));
  }

  #key(key: Uint8Array | null): MessageKey {
    if (key === null || this.#config.key_format !== 'protobuf') return keyOf(key, this.#config.key_format);
    return { row: this.#read(key, this.#given.key).row };
  }

  #read(bytes: Uint8Array, given: protobuf.Type | null): Read {
    const { type, at } = this.#typeOf(bytes, given);
    try {
      return {
        row: decoderOf(type)(type.decode(bytes.subarray(at)) as unknown as Record<string, unknown>),
        columns: this.#columnsOf(type),
      };
    } catch (cause) {
      throw new CdcError('SOURCE_DATA_INVALID', `The message is no ${type.fullName.slice(1)}: ${(cause as Error).message}`, { cause });
    }
  }

  #typeOf(bytes: Uint8Array, given: protobuf.Type | null): { readonly type: protobuf.Type; readonly at: number } {
    if (this.#registry === null) {
      if (given === null) throw new CdcError('SOURCE_DATA_INVALID', 'There is no schema for it.', { fix: 'Set key_schema.' });
      return { type: given, at: 0 };
    }
    const file = this.#files.get(schemaIdOf(bytes));
    if (file === undefined || file instanceof CdcError) throw file ?? new CdcError('INTERNAL_UNEXPECTED', 'A schema was not loaded.');
    const { path, end } = readMessageIndexes(bytes, HEAD_BYTES),
      type = messageAt(file, path);
    if (type === null) throw new CdcError('SOURCE_DATA_INVALID', `The schema has no message at the place ${path.join('.')}.`);
    return { type, at: end };
  }

  #columnsOf(type: protobuf.Type): readonly Column[] {
    let columns = this.#columns.get(type);
    if (columns === undefined) {
      columns = columnsOf(type);
      this.#columns.set(type, columns);
    }
    return columns;
  }
}
