// Deliveries → change events. Pure but for the formats. What cannot be understood is an error, for the dead letter queue.

import type { IPublishPacket } from 'mqtt';
import type { DecodedMessage, Message } from '../../formats/messages.ts';
import { ChangeEvent, type ChangeEventInit, type Position } from '../../sdk/index.ts';
import { ID_PROPERTY, KEY_BASE64_PROPERTY, KEY_PROPERTY } from '../../systems/mqtt/names.ts';

type Properties = Readonly<Record<string, string | string[]>>;

const propertiesOf = ({ properties }: IPublishPacket): Properties => (properties?.userProperties ?? {}) as Properties;

const textOf = (value: string | string[] | undefined): string | null =>
  value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value);

/** An empty payload is a message without value. */
export function messageOf(packet: IPublishPacket): Message {
  const properties = propertiesOf(packet);
  return {
    topic: packet.topic,
    key: keyOf(properties),
    value: packet.payload.length === 0 ? null : typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload,
    headers: headersOf(properties),
  };
}

function keyOf(properties: Properties): Uint8Array | null {
  const text = textOf(properties[KEY_PROPERTY]),
    base64 = textOf(properties[KEY_BASE64_PROPERTY]);
  if (text !== null) return Buffer.from(text);
  return base64 === null ? null : Buffer.from(base64, 'base64');
}

const OURS: ReadonlySet<string> = new Set([KEY_PROPERTY, KEY_BASE64_PROPERTY, ID_PROPERTY]);

/** A name that is there several times gives a JSON list. */
function headersOf(properties: Properties): Record<string, string> | null {
  let headers: Record<string, string> | null = null;
  for (const name of Object.keys(properties)) {
    if (OURS.has(name)) continue;
    headers ??= {};
    // A plain assignment to `__proto__` would set the prototype.
    Object.defineProperty(headers, name, { value: textOf(properties[name]), enumerable: true, writable: true, configurable: true });
  }
  return headers;
}

export interface Place {
  readonly source: string;
  readonly partition: string;
  readonly position: Position;
  readonly nowMs: number;
}

export function eventOf(packet: IPublishPacket, message: Message, said: DecodedMessage, place: Place): ChangeEvent {
  const init = {
    op: said.op,
    table: said.table,
    source: place.source,
    partition: place.partition,
    position: place.position,
    sourceTsMs: said.sourceTsMs ?? place.nowMs,
    before: said.before,
    after: said.after,
    incomplete: said.incomplete,
    message: said.message,
    headers: message.headers === null ? null : { ...message.headers },
    raw: { topic: message.topic, key: message.key, value: message.value, timestampMs: place.nowMs },
    // The numbers of the protocol are used again; only a producer can give an id.
    messageId: said.id ?? textOf(propertiesOf(packet)[ID_PROPERTY]),
    key: said.key,
  };
  // Absent: it is taken from the row.
  return new ChangeEvent(init as ChangeEventInit);
}
