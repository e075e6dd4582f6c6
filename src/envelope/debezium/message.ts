// The record of a logical message (op `m`): what `pg_logical_emit_message` wrote.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-message-events

import type { ChangeEvent } from '../../sdk/index.ts';
import { base64, jsonString } from '../json.ts';
import type { JsonWriter } from '../json-writer.ts';
import { type ConnectSchema, field, schemaText, TRANSACTION_BLOCK } from './connect-schema.ts';
import type { DebeziumOptions } from './options.ts';
import { timesText } from './source-block.ts';
import type { TableEncoder } from './table-encoder.ts';
import * as write from './write.ts';

const named = (name: string): Pick<ConnectSchema, 'type' | 'name' | 'version'> => ({
  type: 'struct',
  name: `io.debezium.connector.postgresql.${name}`,
  version: 1,
});
const PREFIX = field('prefix', 'string', true);
const KEY = schemaText({ ...named('MessageKey'), fields: [PREFIX] });

function valueSchema(table: TableEncoder, content: 'bytes' | 'string'): string {
  const message = { ...named('Message'), fields: [PREFIX, field('content', content, true)], field: 'message' };
  const transaction = { ...TRANSACTION_BLOCK, field: 'transaction' };
  return schemaText({
    ...named('MessageValue'),
    fields: [field('op', 'string'), field('ts_ms', 'int64', true), table.source.schema, transaction, message],
  });
}

function contentText(content: Uint8Array, mode: DebeziumOptions['binary_handling_mode']): string {
  if (mode === 'hex') return write.hex(content);
  return mode === 'base64-url-safe' ? write.base64UrlSafe(content) : `"${base64(content)}"`;
}

/** The parts of a message's record that are its own; source block and transaction are written between them. */
export class MessageRecord {
  readonly #prefix: string;
  readonly #content: string;
  readonly #keySchema: string;
  readonly #valueSchema: string;
  readonly #end: string;

  constructor({ message }: ChangeEvent, table: TableEncoder, { schemas, binary_handling_mode: mode }: DebeziumOptions) {
    this.#prefix = jsonString(message?.prefix ?? '');
    this.#content = message === null ? 'null' : contentText(message.content, mode);
    this.#keySchema = schemas ? `{"schema":${KEY},"payload":` : '';
    this.#valueSchema = schemas ? `{"schema":${valueSchema(table, (mode ?? 'bytes') === 'bytes' ? 'bytes' : 'string')},"payload":` : '';
    this.#end = schemas ? '}' : '';
  }

  key(json: JsonWriter): void {
    json.begin();
    json.text(`${this.#keySchema}{"prefix":${this.#prefix}}${this.#end}`);
  }

  /** Up to the source block. Message events have no ts_us and ts_ns. */
  beginValue(json: JsonWriter, nowMs: number): void {
    json.begin();
    json.text(`${this.#valueSchema}{"op":"m","ts_ms":${timesText(nowMs, '')},"source":`);
  }

  /** From the end of the transaction block. */
  endValue(json: JsonWriter): void {
    json.text(`,"message":{"prefix":${this.#prefix},"content":${this.#content}}}${this.#end}`);
  }
}
