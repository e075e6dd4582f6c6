// From a lane batch to messages: routing key, properties, body. Pure.

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Options } from 'amqplib';
import { CdcError, type ChangeEvent, type EncodedBatch, type LaneBatch, type WriteFailure } from '../../sdk/index.ts';
import type { NameTemplate } from '../../systems/name-template.ts';
import { bufferOf, messagesOf } from '../../systems/outgoing.ts';
import { KEY_HEADER } from '../../systems/rabbitmq/headers.ts';

export interface OutgoingMessage {
  /** Index of its event in the batch. */
  readonly event: number;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly properties: Options.Publish;
}

export interface EncodeOptions {
  readonly routingKey: NameTemplate;
  readonly contentType: string;
  readonly persistent: boolean;
  readonly mandatory: boolean;
  /** `null`: not known. */
  readonly maxBytes: number | null;
}

/** Texts of the protocol's short form: routing keys, ids, names of headers. */
const MAX_SHORT_BYTES = 255;
/** Lists of routing keys: a text there closes the channel. https://www.rabbitmq.com/docs/sender-selected */
const ROUTING: ReadonlySet<string> = new Set(['CC', 'BCC']);
/** The properties are one frame, of 128 KiB. */
const MAX_HEADER_BYTES = 100_000;

/** The messages of a batch but those to skip, in order, and the events that can have none. */
export function encodeMessages(
  batch: LaneBatch,
  records: EncodedBatch,
  o: EncodeOptions,
): { messages: OutgoingMessage[]; failed: WriteFailure[] } {
  return messagesOf(batch, records, (change, i, nth) => messageOf(change, records, i, nth, o));
}

function messageOf(
  change: ChangeEvent,
  { event, topic, key, value, headers, timestampMs }: EncodedBatch,
  i: number,
  nth: number,
  o: EncodeOptions,
): OutgoingMessage | CdcError {
  const routingKey = o.routingKey.of(change, topic[i] as string),
    body = bufferOf(value[i]),
    texts = headersOf(key[i] ?? null, headers[i] ?? null);
  if (o.maxBytes !== null && body.length > o.maxBytes) return tooLarge(body.length, o.maxBytes);
  if (routingKey.length > 80 && Buffer.byteLength(routingKey) > MAX_SHORT_BYTES)
    return rejected(`The routing key has more than ${MAX_SHORT_BYTES} bytes.`, 'Shorten `routing_key`.');
  if (texts instanceof CdcError) return texts;
  // The protocol counts seconds, and knows none before 1970; nor is -1, which some sources have for no time, one.
  const timestamp = Math.floor((timestampMs[i] as number) / 1000);
  return {
    event: event[i] as number,
    routingKey,
    body,
    properties: {
      persistent: o.persistent,
      mandatory: o.mandatory,
      contentType: o.contentType,
      messageId: idOf(change.id, nth),
      ...(timestamp >= 0 ? { timestamp } : {}),
      ...(texts === null ? {} : { headers: texts }),
    },
  };
}

/** Stays the same when the event is sent again. */
function idOf(id: string, nth: number): string {
  const own = nth === 1 ? id : `${id}/${nth}`;
  if (own.length <= 80 || Buffer.byteLength(own) <= MAX_SHORT_BYTES) return own;
  return createHash('sha256').update(own).digest('hex');
}

function headersOf(
  key: Uint8Array | null,
  given: Readonly<Record<string, string>> | null,
): Record<string, string | Buffer> | null | CdcError {
  if (key === null && given === null) return null;
  const headers: Record<string, string | Buffer> = {};
  let bytes = 0;
  for (const name of Object.keys(given ?? {})) {
    const text = given?.[name] as string;
    bytes += Buffer.byteLength(text) + name.length;
    if (ROUTING.has(name))
      return rejected(`The header "${name}" tells RabbitMQ where else a message goes.`, 'Leave it out, or give it another name.');
    if (Buffer.byteLength(name) > MAX_SHORT_BYTES)
      return rejected(`A header has a name of more than ${MAX_SHORT_BYTES} bytes.`, 'Shorten it, or leave it out.');
    headers[name] = text;
  }
  if (key !== null) {
    const copy = Buffer.from(key);
    headers[KEY_HEADER] = isUtf8(copy) ? copy.toString() : copy;
    bytes += copy.length;
  }
  return bytes > MAX_HEADER_BYTES
    ? rejected(
        `Key and headers have ${bytes} bytes; there is room for ${MAX_HEADER_BYTES}.`,
        'Leave out large headers or columns of the key.',
      )
    : headers;
}

function tooLarge(size: number, limit: number): CdcError {
  return rejected(
    `A message has ${size} bytes, and at most ${limit} are taken.`,
    'Leave out large columns, or raise max_message_size of the server and of the destination.',
  );
}

export function rejected(message: string, fix: string): CdcError {
  return new CdcError('DESTINATION_EVENT_REJECTED', message, { fix });
}
