// Messages in JSON: rows, or change events in one of the envelopes. Also what Kafka Connect writes with its schemas.

import { isUtf8 } from 'node:buffer';
import { decodeEnvelope, type EventEnvelope } from '../envelope/create.ts';
import { typedPayload } from '../envelope/debezium/decode.ts';
import { CdcError, type Row, type Value } from '../sdk/index.ts';
import type { MessageFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import type { DebeziumReading } from './create.ts';
import { DebeziumJson } from './debezium-json.ts';
import { EnvelopeMessages } from './envelope-messages.ts';
import { invalidMessage } from './invalid-message.ts';
import { parseJson } from './json-lossless.ts';
import type { Decoded, Message, MessageDecoder } from './messages.ts';
import { isRow, type MessageKey, RowMessages } from './row-messages.ts';

export function jsonMessages(
  config: MessageFormatConfig,
  ctx: FormatContext,
  envelope: EventEnvelope | 'row',
  debezium?: DebeziumReading,
): MessageDecoder {
  const [tables, decodeOne] = envelope === 'row' ? rows(config, ctx) : changes(config, envelope, debezium);
  return {
    decode: async (messages) =>
      messages.map((message): Decoded => {
        try {
          return decodeOne(message);
        } catch (cause) {
          return invalidMessage(cause, ctx);
        }
      }),
    table: (topic) => tables.known(topic),
    close: () => Promise.resolve(),
  };
}

type DecodeOne = (message: Message) => Decoded;

function rows(config: MessageFormatConfig, ctx: FormatContext): [RowMessages['tables'], DecodeOne] {
  const messages = new RowMessages(config, ctx);
  return [
    messages.tables,
    ({ topic, key, value }) => messages.message(topic, keyOf(key, config.key_format), value === null ? null : rowOf(value)),
  ];
}

function changes(
  config: MessageFormatConfig,
  envelope: EventEnvelope,
  reading: DebeziumReading = {},
): [EnvelopeMessages['tables'], DecodeOne] {
  const messages = new EnvelopeMessages(config, envelope === 'debezium', reading.placeholder);
  // A key that is no JSON names no columns: the envelope's own key, or key_fields, must do.
  const jsonKey = (key: Uint8Array | null): Uint8Array | null =>
    key !== null && (config.key_format === 'json' || 'row' in (keyOf(key, config.key_format) ?? {})) ? key : null;
  if (envelope === 'debezium') {
    const debezium = new DebeziumJson(reading.types);
    return [
      messages.tables,
      ({ topic, key, value }) => {
        const change = value === null ? null : debezium.change(topic, value, jsonKey(key));
        return change === null ? null : messages.message(topic, change.record, change.columns);
      },
    ];
  }
  return [
    messages.tables,
    // The tombstone behind a delete says nothing new.
    ({ topic, key, value }) => (value === null ? null : messages.message(topic, decodeEnvelope(envelope, value, jsonKey(key)))),
  ];
}

function rowOf(value: Uint8Array): Row | null {
  const json = typedPayload(parseBytes(value, 'The value'));
  if (json === null || isRow(json)) return json;
  throw new CdcError('SOURCE_DATA_INVALID', `The value is ${Array.isArray(json) ? 'an array' : `a ${typeof json}`} instead of an object.`);
}

/** Keys in plain text are common beside values in JSON: without `key_format` what is no JSON is text. */
export function keyOf(key: Uint8Array | null, format: MessageFormatConfig['key_format']): MessageKey {
  if (key === null) return null;
  if (format === 'raw') return { bare: key };
  if (format === 'text') return { bare: textOf(key, 'The key') };
  let json: Value;
  try {
    json = typedPayload(parseBytes(key, 'The key'));
  } catch (error) {
    if (format === 'json' || !isUtf8(key)) throw error;
    json = textOf(key, 'The key');
  }
  return isRow(json) ? { row: json } : { bare: json };
}

function textOf(bytes: Uint8Array, what: string): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    text = buffer.toString();
  // In place of bytes that are none: to look for it costs nothing, to look at all bytes first as much as a third of making the text.
  if (text.includes(REPLACEMENT) && !isUtf8(buffer)) throw new CdcError('SOURCE_DATA_INVALID', `${what} is not valid UTF-8.`);
  return text;
}

const REPLACEMENT = '\ufffd';

function parseBytes(bytes: Uint8Array, what: string): Value {
  const text = textOf(bytes, what);
  try {
    return parseJson(text);
  } catch (cause) {
    throw new CdcError('SOURCE_DATA_INVALID', `${what} is not JSON: ${(cause as Error).message}`, { cause });
  }
}
