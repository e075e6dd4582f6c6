// Messages in Avro → rows or change events, each by the schema it was written with.

import { decodeDebeziumRow } from '../../envelope/debezium/decode.ts';
import type { DecodedRecord } from '../../envelope/envelope.ts';
import { CdcError, type Column, type Row, type Value } from '../../sdk/index.ts';
import { type MessageFormatConfig, messageEnvelopeOf } from '../config.ts';
import type { FormatContext } from '../context.ts';
import { EnvelopeMessages } from '../envelope-messages.ts';
import { invalidMessage } from '../invalid-message.ts';
import { keyOf } from '../json-messages.ts';
import type { Decoded, Message, MessageDecoder } from '../messages.ts';
import type { SchemaRegistry } from '../registry/client.ts';
import { HEAD_BYTES, schemaIdOf } from '../registry/wire.ts';
import { isRow, type MessageKey, RowMessages } from '../row-messages.ts';
import { Bytes } from './binary.ts';
import { columnsOf } from './columns.ts';
import type { SchemaTexts } from './given-schema.ts';
import { type Reader, readerOf, readValue } from './reader.ts';
import { type AvroRecord, type AvroType, parseAvro, unreadableSchema, withoutNull } from './schema.ts';

/** A schema, ready to read with. */
interface Prepared {
  readonly read: Reader;
  /** Of the rows: those of the record itself, or of `after` within a change event. */
  readonly columns: readonly Column[];
}

export class AvroMessages implements MessageDecoder {
  readonly #config: MessageFormatConfig;
  readonly #ctx: FormatContext;
  readonly #registry: SchemaRegistry | null;
  readonly #given: { readonly key: Prepared | null; readonly value: Prepared | null };
  /** By the id of the schema: as many as the registry's cache keeps texts. */
  readonly #prepared = new Map<number, Prepared | CdcError>();
  readonly #envelope: MessageFormatConfig['envelope'];
  readonly #rows: RowMessages;
  readonly #changes: EnvelopeMessages;

  constructor(config: MessageFormatConfig, ctx: FormatContext, registry: SchemaRegistry | null, given: SchemaTexts) {
    this.#config = config;
    this.#ctx = ctx;
    this.#registry = registry;
    this.#envelope = messageEnvelopeOf(config);
    this.#rows = new RowMessages(config, ctx);
    this.#changes = new EnvelopeMessages(config, this.#envelope === 'debezium');
    const prepare = (text: string | null): Prepared | null => (text === null ? null : this.#prepare(text, []));
    this.#given = { key: prepare(given.key), value: prepare(given.value) };
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

  #isAvroKey(): boolean {
    const { key_format: format } = this.#config;
    return format === undefined ? this.#registry !== null || this.#given.key !== null : format === 'avro';
  }

  /** All schemas that the messages name are known afterwards; one that the registry does not have is an error of its messages. */
  async #load(messages: readonly Message[], registry: SchemaRegistry, signal: AbortSignal): Promise<void> {
    const ids = new Set<number>();
    const note = (bytes: Uint8Array | null): void => {
      if (bytes === null || bytes.length < HEAD_BYTES || bytes[0] !== 0) return;
      const id = schemaIdOf(bytes);
      const known = this.#prepared.get(id);
      // What was not there may have come since.
      if (known === undefined || known instanceof CdcError) ids.add(id);
    };
    for (const { key, value } of messages) {
      note(value);
      if (this.#isAvroKey()) note(key);
    }
    for (const id of ids) this.#prepared.set(id, await this.#fetch(id, registry, signal));
  }

  async #fetch(id: number, registry: SchemaRegistry, signal: AbortSignal): Promise<Prepared | CdcError> {
    try {
      const schema = await registry.byId(id, signal);
      if (schema.type !== 'AVRO')
        return new CdcError('SOURCE_DATA_INVALID', `The schema ${id} is one of ${schema.type}, not of Avro.`, {
          where: this.#ctx.where,
          fix: 'Set message_format to what the producer writes.',
        });
      const references = await registry.referencesOf(schema, signal);
      return this.#prepare(
        schema.text,
        references.map((r) => r.text),
      );
    } catch (error) {
      if (error instanceof CdcError && !error.retriable && error.code === 'REGISTRY_SCHEMA_UNKNOWN') return error;
      throw error;
    }
  }

  #prepare(text: string, references: readonly string[]): Prepared {
    let type: AvroType;
    try {
      type = parseAvro(text, references);
    } catch (cause) {
      throw unreadableSchema('A schema', cause, this.#ctx.where);
    }
    return { read: readerOf(type), columns: columnsIn(type, this.#envelope !== 'row') };
  }

  #decode({ topic, key, value }: Message): Decoded {
    if (this.#envelope === 'row') {
      if (value === null) return this.#rows.message(topic, this.#key(key), null);
      const { prepared, at } = this.#schemaOf(value, this.#given.value),
        row = readAll(prepared, value, at);
      if (!isRow(row)) throw new CdcError('SOURCE_DATA_INVALID', 'The value is no record.');
      return this.#rows.message(topic, this.#key(key), row, prepared.columns);
    }
    // The tombstone behind a delete says nothing new.
    if (value === null) return null;
    const { prepared, at } = this.#schemaOf(value, this.#given.value),
      record = readAll(prepared, value, at),
      named = this.#key(key);
    const keyRow = named !== null && 'row' in named ? named.row : null;
    const decoded = this.#envelope === 'plain' ? plainRecord(record) : decodeDebeziumRow(record, keyRow);
    return this.#changes.message(topic, decoded, prepared.columns);
  }

  #key(key: Uint8Array | null): MessageKey {
    if (key === null) return null;
    if (!this.#isAvroKey()) return keyOf(key, this.#config.key_format);
    // Keys of topics whose values are Avro are often plain text.
    if (this.#config.key_format === undefined && (key.length < HEAD_BYTES || key[0] !== 0) && this.#given.key === null)
      return keyOf(key, undefined);
    const { prepared, at } = this.#schemaOf(key, this.#given.key),
      value = readAll(prepared, key, at);
    return isRow(value) ? { row: value } : { bare: value };
  }

  #schemaOf(bytes: Uint8Array, given: Prepared | null): { readonly prepared: Prepared; readonly at: number } {
    if (this.#registry === null) {
      if (given === null) throw new CdcError('SOURCE_DATA_INVALID', 'There is no schema for it.', { fix: 'Set key_schema.' });
      return { prepared: given, at: 0 };
    }
    const prepared = this.#prepared.get(schemaIdOf(bytes));
    if (prepared === undefined || prepared instanceof CdcError)
      throw prepared ?? new CdcError('INTERNAL_UNEXPECTED', 'A schema was not loaded.');
    return { prepared, at: HEAD_BYTES };
  }
}

function readAll({ read }: Prepared, bytes: Uint8Array, at: number): Value {
  const from = new Bytes(bytes, at);
  let value: Value;
  try {
    value = readValue(read, from);
  } catch (cause) {
    throw new CdcError('SOURCE_DATA_INVALID', `The message does not fit its schema: ${(cause as Error).message}.`, { cause });
  }
  if (from.left > 0) throw new CdcError('SOURCE_DATA_INVALID', `The message has ${from.left} bytes more than its schema.`);
  return value;
}

const NO_COLUMNS: readonly Column[] = [];

/** `inside`: the row is the field `after` of a change event. */
function columnsIn(type: AvroType, inside: boolean): readonly Column[] {
  const record = withoutNull(type).type;
  if (record.kind !== 'record') return NO_COLUMNS;
  if (!inside) return columnsOf(record);
  const row = record.fields
    .map((f) => ({ name: f.name, type: withoutNull(f.type).type }))
    .find((f) => f.name === 'after' && f.type.kind === 'record');
  return row === undefined ? NO_COLUMNS : columnsOf(row.type as AvroRecord);
}

const textOf = (value: Value | undefined): string | null => (typeof value === 'string' ? value : null);
const rowOf = (value: Value | undefined): Row | null => (value !== undefined && isRow(value) ? value : null);

/** The record of `plainSchema` in table-schemas.ts. */
export function plainRecord(value: Value): DecodedRecord {
  const record = rowOf(value),
    op = record?.['op'],
    table = textOf(record?.['table']);
  if (record === null || typeof op !== 'string' || !'cudrtms'.includes(op) || table === null)
    throw new CdcError('SOURCE_DATA_INVALID', 'The record has no fields "op" and "table" of the envelope plain.');
  const message = rowOf(record['message']),
    absent = new Set(record['absent'] as readonly string[] | undefined),
    after = rowOf(record['after']);
  return {
    op: op as DecodedRecord['op'],
    table,
    schema: textOf(record['schema']),
    database: textOf(record['database']),
    key: rowOf(record['key']),
    before: rowOf(record['before']),
    after: after === null || absent.size === 0 ? after : Object.fromEntries(Object.entries(after).filter(([name]) => !absent.has(name))),
    sourceTsMs: Number(record['ts_ms'] ?? 0),
    id: textOf(record['id']),
    ...(record['incomplete'] === true ? { incomplete: true as const } : {}),
    ...(message === null
      ? {}
      : { message: { prefix: textOf(message['prefix']) ?? '', content: message['content'] as Uint8Array, transactional: false } }),
  };
}
