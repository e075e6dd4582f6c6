// Deliveries → change events. Pure but for the formats. What cannot be understood is an error, for the dead letter queue.

import type { ConsumeMessage } from 'amqplib';
import type { DecodedMessage, Message } from '../../formats/messages.ts';
import { ChangeEvent, type ChangeEventInit, type Position } from '../../sdk/index.ts';
import { KEY_HEADER } from '../../systems/rabbitmq/headers.ts';

/** Set by the server when it delivers again, so not part of what the producer said. */
const OF_THE_SERVER: ReadonlySet<string> = new Set(['x-delivery-count', 'x-acquired-count', KEY_HEADER]);

/** `topic`: what the table is named by. An empty body is a message without value. */
export function messageOf({ content, properties }: ConsumeMessage, topic: string): Message {
  const headers = (properties.headers ?? {}) as Readonly<Record<string, unknown>>;
  return { topic, key: keyOf(headers[KEY_HEADER]), value: content.length === 0 ? null : content, headers: textsOf(headers) };
}

function keyOf(header: unknown): Uint8Array | null {
  if (typeof header === 'string') return Buffer.from(header);
  return header instanceof Uint8Array ? header : null;
}

function textsOf(headers: Readonly<Record<string, unknown>>): Record<string, string> | null {
  let texts: Record<string, string> | null = null;
  for (const name of Object.keys(headers)) {
    if (OF_THE_SERVER.has(name)) continue;
    texts ??= {};
    // A plain assignment to `__proto__` would set the prototype.
    Object.defineProperty(texts, name, { value: textOf(headers[name]), enumerable: true, writable: true, configurable: true });
  }
  return texts;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return JSON.stringify(value) ?? '';
}

/** How often it was delivered, this time included. A classic queue tells the first time from later ones only. */
export function deliveriesOf({ fields, properties }: ConsumeMessage): number {
  const count = (properties.headers as Readonly<Record<string, unknown>> | undefined)?.['x-delivery-count'];
  return typeof count === 'number' ? count + 1 : fields.redelivered ? 2 : 1;
}

/** A stream gives each message its place, and our consumer what comes from now on: it holds nothing for us. */
export const isOfStream = ({ properties }: ConsumeMessage): boolean =>
  typeof (properties.headers as Readonly<Record<string, unknown>> | undefined)?.['x-stream-offset'] === 'number';

/** The protocol counts seconds; some producers put milliseconds there. */
export function timeOf({ properties }: ConsumeMessage, nowMs: number): number {
  const at: unknown = properties.timestamp;
  if (typeof at !== 'number' || at <= 0) return nowMs;
  return at < 100_000_000_000 ? at * 1000 : at;
}

export interface Place {
  readonly source: string;
  readonly partition: string;
  readonly position: Position;
  readonly nowMs: number;
}

export function eventOf(delivery: ConsumeMessage, message: Message, said: DecodedMessage, place: Place): ChangeEvent {
  const timestampMs = timeOf(delivery, place.nowMs),
    id: unknown = delivery.properties.messageId;
  const init = {
    op: said.op,
    table: said.table,
    source: place.source,
    partition: place.partition,
    position: place.position,
    sourceTsMs: said.sourceTsMs ?? timestampMs,
    before: said.before,
    after: said.after,
    incomplete: said.incomplete,
    message: said.message,
    headers: message.headers === null ? null : { ...message.headers },
    raw: { topic: message.topic, key: message.key, value: message.value, timestampMs },
    messageId: said.id ?? (typeof id === 'string' && id !== '' ? id : null),
    key: said.key,
  };
  // Absent: it is taken from the row.
  return new ChangeEvent(init as ChangeEventInit);
}
