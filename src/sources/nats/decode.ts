// Messages → change events. What cannot be understood is an error, for the dead letter queue.

import type { DecodedMessage, Message, MessageDecoder } from '../../formats/messages.ts';
import { CdcError, ChangeEvent, type ChangeEventInit, type Position } from '../../sdk/index.ts';
import { EVENT_ID, MSG_ID } from '../../systems/nats/header.ts';
import { type Delivered, messageOf } from './delivered.ts';

/** A message of a stream, or of core NATS, which has no sequence. */
export type Received = Pick<Delivered, 'subject' | 'data' | 'headers' | 'timestampMs'> & { readonly sequence: number | null };

/** What a message says; `null`: nothing to deliver; or what is wrong. */
export type DecodedDelivery = { readonly said: DecodedMessage; readonly message: Message } | CdcError | null;

/** One answer per message. Rejects with a retriable `CdcError` while a schema registry is away. */
export async function decodeAll(decoder: MessageDecoder, received: readonly Received[], signal: AbortSignal): Promise<DecodedDelivery[]> {
  const messages = received.map(messageOf),
    decoded = await decoder.decode(messages, signal);
  return messages.map((message, i): DecodedDelivery => {
    const said = decoded[i] ?? null;
    return said === null || said instanceof CdcError ? said : { said, message };
  });
}

/** The event of a message, with the receipt that finishes it. */
export function eventOf(
  { sequence, headers, timestampMs }: Received,
  { said, message }: Exclude<DecodedDelivery, CdcError | null>,
  source: string,
  partition: string,
  position: Position,
): ChangeEvent {
  const given = headers?.get(MSG_ID) || headers?.get(EVENT_ID) || null;
  const init = {
    op: said.op,
    table: said.table,
    source,
    partition,
    position,
    sourceTsMs: said.sourceTsMs ?? timestampMs,
    before: said.before,
    after: said.after,
    incomplete: said.incomplete,
    message: said.message,
    headers: message.headers === null ? null : { ...message.headers },
    raw: { topic: message.topic, key: message.key, value: message.value, timestampMs },
    messageId: said.id ?? given ?? (sequence === null ? null : `${partition}/${sequence}`),
    key: said.key,
  };
  // Absent: it is taken from the row.
  return new ChangeEvent(init as ChangeEventInit);
}
