// Records that are collected one by one, for formats whose bytes do not come from an envelope.

import {
  type CdcError,
  type ChangeEvent,
  type EncodedBatch,
  formatTableId,
  type LaneBatch,
  toCdcError,
  type WriteFailure,
} from '../sdk/index.ts';
import type { FormattedBatch } from './messages.ts';

type Headers = EncodedBatch['headers'][number];

export class RecordList {
  readonly #event: number[] = [];
  readonly #topic: string[] = [];
  readonly #key: (Uint8Array | null)[] = [];
  readonly #value: (Uint8Array | null)[] = [];
  readonly #headers: Headers[] = [];
  readonly #timestampMs: number[] = [];
  readonly #failed: WriteFailure[] = [];

  get length(): number {
    return this.#event.length;
  }

  add(index: number, event: ChangeEvent, topic: string, key: Uint8Array | null, value: Uint8Array | null, headers = event.headers): void {
    this.#event.push(index);
    this.#topic.push(topic);
    this.#key.push(key);
    this.#value.push(value);
    this.#headers.push(headers);
    this.#timestampMs.push(event.sourceTsMs);
  }

  /** A record that an envelope made. */
  take(index: number, from: EncodedBatch, i: number, key: Uint8Array | null, value: Uint8Array | null): void {
    this.#event.push(index);
    this.#topic.push(from.topic[i] as string);
    this.#key.push(key);
    this.#value.push(value);
    this.#headers.push(from.headers[i] as Headers);
    this.#timestampMs.push(from.timestampMs[i] as number);
  }

  /** The event has no records: those from `length` on are taken back. */
  fail(index: number, error: CdcError, length: number): void {
    for (const list of [this.#event, this.#topic, this.#key, this.#value, this.#headers, this.#timestampMs]) list.length = length;
    this.#failed.push({ index, error });
  }

  finish(): FormattedBatch {
    const records: EncodedBatch = {
      event: Uint32Array.from(this.#event),
      topic: this.#topic,
      key: this.#key,
      value: this.#value,
      headers: this.#headers,
      timestampMs: Float64Array.from(this.#timestampMs),
    };
    return { records, failed: this.#failed };
  }
}

/** What `encode` adds for each event that is to be written. An error that is not retriable is the event's own; others reject. */
export function encodeEach(
  { events, skip }: LaneBatch,
  where: string,
  encode: (list: RecordList, event: ChangeEvent, index: number) => void,
): FormattedBatch {
  const list = new RecordList();
  for (let index = 0; index < events.length; index++) {
    if (skip.has(index)) continue;
    const start = list.length;
    try {
      encode(list, events[index] as ChangeEvent, index);
    } catch (cause) {
      const error = toCdcError(cause, 'DESTINATION_EVENT_REJECTED', { where });
      // A configuration that fits no event is not the fault of one.
      if (error.retriable || error.code !== 'DESTINATION_EVENT_REJECTED') throw error;
      list.fail(index, error, start);
    }
  }
  return list.finish();
}

/** How a row becomes a record. */
export interface RowCodec {
  /** Of the event, or of the row before a change of key. */
  key(event: ChangeEvent, key: ChangeEvent['key']): Uint8Array | null;
  value(event: ChangeEvent): Uint8Array | null;
}

/**
 * | event | records |
 * |---|---|
 * | `c`, `u`, `r` | the row after |
 * | `u` that changes the key | no value under the old key, then the row |
 * | `d` | no value, where the table has a key; else none |
 * | `t`, `m`, `s` | none: they are no rows |
 */
export function addRow(list: RecordList, event: ChangeEvent, index: number, codec: RowCodec, topic = formatTableId(event.table.id)): void {
  switch (event.op) {
    case 'd': {
      const key = codec.key(event, event.key);
      if (key !== null) list.add(index, event, topic, key, null);
      return;
    }
    case 'u': {
      const { oldKey } = event;
      if (oldKey !== null) list.add(index, event, topic, codec.key(event, oldKey), null);
      break;
    }
    case 'c':
    case 'r':
      break;
    default:
      return;
  }
  list.add(index, event, topic, codec.key(event, event.key), codec.value(event));
}
