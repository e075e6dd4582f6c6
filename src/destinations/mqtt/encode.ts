// From a lane batch to messages: topic, payload, and in MQTT 5 the key, the id and the headers as user properties. Pure.

import { isUtf8 } from 'node:buffer';
import { CdcError, type ChangeEvent, type EncodedBatch, type LaneBatch, type WriteFailure } from '../../sdk/index.ts';
import { ID_PROPERTY, isPlain, KEY_BASE64_PROPERTY, KEY_PROPERTY, plainOf } from '../../systems/mqtt/names.ts';
import type { NameTemplate } from '../../systems/name-template.ts';
import { bufferOf, messagesOf } from '../../systems/outgoing.ts';

export interface OutgoingMessage {
  /** Index of its event in the batch. */
  readonly event: number;
  readonly topic: string;
  readonly payload: Buffer;
  /** `null`: this version of the protocol has none. */
  readonly properties: { readonly contentType: string; readonly userProperties: Record<string, string> } | null;
}

export interface EncodeOptions {
  readonly topic: NameTemplate;
  readonly contentType: string;
  readonly version: 4 | 5;
  /** `null`: not known. */
  readonly maxBytes: number | null;
}

/** Texts of the protocol have a length of two bytes. */
const MAX_TEXT_BYTES = 65_535;
/** What a packet has beside its texts and its payload. */
const PACKET_OVERHEAD_BYTES = 40;

/** A value in a topic: it makes no level and no wildcard, and nothing that a broker refuses. */
export const cleanLevel = (value: string): string => plainOf(value).replace(/[+#/]/g, '_');

/** The messages of a batch but those to skip, in order, and the events that can have none. */
export function encodeMessages(
  batch: LaneBatch,
  records: EncodedBatch,
  o: EncodeOptions,
): { messages: OutgoingMessage[]; failed: WriteFailure[] } {
  const { event, topic, value } = records;
  return messagesOf(batch, records, (change, i, nth) => {
    const message: OutgoingMessage = {
      event: event[i] as number,
      topic: o.topic.of(change, topic[i] as string),
      payload: bufferOf(value[i]),
      properties: o.version === 5 ? propertiesOf(change, records, i, nth, o.contentType) : null,
    };
    return problemOf(message, o.maxBytes) ?? message;
  });
}

/** The id stays the same when the event is sent again. */
function propertiesOf(
  change: ChangeEvent,
  { key, headers }: EncodedBatch,
  i: number,
  nth: number,
  contentType: string,
): OutgoingMessage['properties'] {
  const bytes = key[i] ?? null,
    id = nth === 1 ? change.id : `${change.id}/${nth}`,
    userProperties: Record<string, string> = { ...headers[i], [ID_PROPERTY]: isPlain(id) ? id : encodeURIComponent(id) };
  if (bytes !== null) {
    const buffer = bufferOf(bytes),
      text = isUtf8(buffer) ? buffer.toString() : null;
    if (text !== null && isPlain(text)) userProperties[KEY_PROPERTY] = text;
    else userProperties[KEY_BASE64_PROPERTY] = buffer.toString('base64');
  }
  return { contentType, userProperties };
}

function problemOf({ topic, payload, properties }: OutgoingMessage, maxBytes: number | null): CdcError | null {
  let bytes = payload.length + Buffer.byteLength(topic) + PACKET_OVERHEAD_BYTES;
  if (topic === '' || Buffer.byteLength(topic) > MAX_TEXT_BYTES)
    return rejected('The topic of an event is empty or too long.', 'Correct `topic`.');
  for (const [name, text] of Object.entries(properties?.userProperties ?? {})) {
    const size = Buffer.byteLength(text);
    if (!isPlain(name) || !isPlain(text))
      return rejected(
        `The header ${JSON.stringify(name.slice(0, 80))} holds characters that MQTT has no place for.`,
        'Leave it out, or encode it.',
      );
    if (size > MAX_TEXT_BYTES || Buffer.byteLength(name) > MAX_TEXT_BYTES)
      return rejected(
        `The property ${name.slice(0, 80)} has ${size} bytes; there is room for ${MAX_TEXT_BYTES}.`,
        'Leave out large headers or columns of the key.',
      );
    bytes += size + name.length + 5;
  }
  if (maxBytes === null || bytes <= maxBytes) return null;
  return rejected(
    `A message has ${bytes} bytes, and at most ${maxBytes} are taken.`,
    'Leave out large columns, or raise the limits of the broker and of the destination.',
  );
}

export function rejected(message: string, fix: string): CdcError {
  return new CdcError('DESTINATION_EVENT_REJECTED', message, { fix });
}
