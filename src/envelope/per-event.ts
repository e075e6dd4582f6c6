// The common part of the envelopes that make one record of an event, or none.

import { type ChangeEvent, type EncodedBatch, formatTableId } from '../sdk/index.ts';
import { ChunkPool } from './chunk-pool.ts';
import { plainColumn } from './column-writer.ts';
import type { Envelope } from './envelope.ts';
import type { JsonWriter } from './json-writer.ts';
import { KeyEncoder } from './key-encoder.ts';
import { RecordWriter } from './record-writer.ts';
import { RowEncoder } from './row-encoder.ts';
import { TableCache } from './table-cache.ts';
import { momentText, parseMoment } from './temporal.ts';

/** What every envelope prepares per table. */
export class PlainTable {
  readonly topic: string;
  readonly rows: RowEncoder;
  readonly keys: KeyEncoder;

  constructor({ table }: ChangeEvent) {
    this.topic = formatTableId(table.id);
    this.rows = new RowEncoder(table.columns.map((c) => plainColumn(c.name)));
    this.keys = new KeyEncoder(table.key.map(plainColumn));
  }
}

/** How one shape writes an event. */
export interface EventWriter<T extends PlainTable> {
  prepare(event: ChangeEvent): T;
  /** Called once per batch, before its events. */
  begin?(): void;
  /** Writes the record's value; `false`, with nothing written: the shape has no record for the event. `key`: the event's key as JSON. */
  value(json: JsonWriter, event: ChangeEvent, table: T, key: Uint8Array | null): boolean;
  /** Headers that all records of the shape carry. */
  readonly headers?: Readonly<Record<string, string>>;
}

export class PerEventEnvelope<T extends PlainTable> implements Envelope {
  readonly #writer: EventWriter<T>;
  readonly #tables: TableCache<T>;
  readonly #pool = new ChunkPool();

  constructor(writer: EventWriter<T>) {
    this.#writer = writer;
    this.#tables = new TableCache((event) => writer.prepare(event));
  }

  encode(events: readonly ChangeEvent[]): EncodedBatch {
    const out = new RecordWriter(events.length, this.#pool),
      { keys, values } = out,
      writer = this.#writer,
      own = writer.headers ?? null;
    writer.begin?.();
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as ChangeEvent,
        table = this.#tables.get(event);
      const key = table.keys.write(keys, event) ? keys.end() : null;
      values.begin();
      if (!writer.value(values, event, table, key)) continue;
      const headers = own === null || event.headers === null ? (event.headers ?? own) : { ...event.headers, ...own };
      out.add(i, table.topic, key !== null, headers, event.sourceTsMs);
    }
    return out.finish();
  }
}

/** Milliseconds, whole as the contract has them, or as they are. */
export function writeMs(json: JsonWriter, ms: number): void {
  if (Number.isInteger(ms)) json.integer(ms);
  else json.value(ms);
}

/** `,"before":{…}`, if there is one. */
export function writeSide(json: JsonWriter, table: PlainTable, name: string, event: ChangeEvent, side: 'before' | 'after'): void {
  if (!event.has(side)) return;
  json.text(name);
  table.rows.side(json, event, side, false);
}

/** `,"key":{…}`, if there is one. */
export function writeKey(json: JsonWriter, key: Uint8Array | null): void {
  if (key === null) return;
  json.text(',"key":');
  json.raw(key);
}

/** Milliseconds since the epoch → RFC 3339 in UTC. The events of a transaction share their time, so the last one is kept. */
export class Rfc3339 {
  #ms = Number.NaN;
  #text = '';

  text(ms: number): string {
    if (ms === this.#ms) return this.#text;
    const seconds = Math.floor(ms / 1000);
    this.#ms = ms;
    this.#text = `${momentText({ seconds, nanos: Math.floor(ms - seconds * 1000) * 1_000_000 }, null)}Z`;
    return this.#text;
  }
}

/** The reverse; `null` for other text. */
export function parseRfc3339(text: string | null): number | null {
  const moment = text === null ? null : parseMoment(text);
  return moment === null ? null : moment.seconds * 1000 + Math.floor(moment.nanos / 1_000_000);
}
