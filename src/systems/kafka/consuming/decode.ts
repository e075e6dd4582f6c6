// Fetched records to messages and events. Pure, but for the schema registry behind the decoder.

import { isUtf8 } from 'node:buffer';
import type { DecodedMessage, Message } from '../../../formats/messages.ts';
import { ChangeEvent, type ChangeEventInit } from '../../../sdk/index.ts';
import type { FetchedRecord } from '../client.ts';
import type { ConsumingConfig } from './config.ts';
import { eventTimeMs } from './event-time.ts';
import { positionOf } from './position.ts';

/** What an event holds beside its bytes. */
export const EVENT_BYTES = 250;

export const bytesOf = ({ key, value }: FetchedRecord): number => (key?.length ?? 0) + (value?.length ?? 0);

export function messageOf(topic: string, { key, value, headers }: FetchedRecord): Message {
  return { topic, key, value, headers: headersOf(headers) };
}

/** Headers are bytes in Kafka: those that are no text are written as base64. Of several with one name the last counts, as for most readers. */
export function headersOf(headers: FetchedRecord['headers']): Record<string, string> | null {
  if (headers === undefined) return null;
  let out: Record<string, string> | null = null;
  for (const name in headers) {
    const values = headers[name],
      value = Array.isArray(values) ? values.at(-1) : values;
    if (value === undefined) continue;
    out ??= {};
    out[name] = typeof value === 'string' ? value : value.toString(isUtf8(value) ? 'utf8' : 'base64');
  }
  return out;
}

export interface Place {
  readonly source: string;
  readonly partition: string;
  readonly keepsReads: boolean;
}

export function eventOf(
  decoded: DecodedMessage,
  record: FetchedRecord,
  headers: Readonly<Record<string, string>> | null,
  { source, partition, keepsReads }: Place,
  watermark: ConsumingConfig['watermark'],
): ChangeEvent {
  const { transaction } = decoded,
    told = watermark === undefined ? null : eventTimeMs(watermark, decoded.after ?? decoded.before);
  const sourceTsMs = told ?? decoded.sourceTsMs ?? Number(record.timestamp);
  const init = {
    // Rows that another pipeline read from a table are no chunk of a snapshot here.
    op: decoded.op === 'r' && !keepsReads ? 'c' : decoded.op,
    table: decoded.table,
    source,
    partition,
    position: positionOf(record.offset),
    sourceTsMs,
    before: decoded.before,
    after: decoded.after,
    incomplete: decoded.incomplete,
    headers,
    message: decoded.message,
    // Whether more events of it follow, perhaps in other partitions, the message does not say.
    transaction: transaction === undefined ? null : { ...transaction, commitTsMs: sourceTsMs, last: false },
    key: decoded.key,
  };
  // Absent: it is taken from the row.
  return new ChangeEvent(init as ChangeEventInit);
}
