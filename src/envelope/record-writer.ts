// Collects the records of one batch and turns them into an `EncodedBatch`. Keys and values lie in chunks of their own, so that
// values follow each other as lines and whoever writes lines writes few large pieces.

import type { EncodedBatch } from '../sdk/index.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { EncodedRecords, KEY_BYTES, Spans, type WriteKey } from './encoded-records.ts';
import { JsonWriter } from './json-writer.ts';

/** Of one record, roughly. */
const VALUE_BYTES = 1024;
const LINE_FEED = 0x0a;

type Headers = EncodedBatch['headers'][number];

const noKey: WriteKey = () => false;

export class RecordWriter {
  /** Where a key is written, from its `begin` on … */
  readonly keys: JsonWriter;
  /** … and a value: `add` takes what stands there. */
  readonly values: JsonWriter;
  readonly #pool: ChunkPool;
  readonly #writeKey: WriteKey;
  #event: Uint32Array;
  #timestampMs: Float64Array;
  #length = 0;
  readonly #topic: string[];
  readonly #headers: Headers[];
  readonly #keys: Spans;
  readonly #values: Spans;

  /** `expected`: most batches give one record per event. `writeKey`: for `addBeforeKey`. */
  constructor(expected: number, pool: ChunkPool, writeKey = noKey) {
    this.#pool = pool;
    this.#writeKey = writeKey;
    this.keys = new JsonWriter(expected * KEY_BYTES, pool);
    this.values = new JsonWriter(expected * VALUE_BYTES, pool);
    this.#event = new Uint32Array(expected);
    this.#timestampMs = new Float64Array(expected);
    this.#topic = new Array<string>(expected);
    this.#headers = new Array<Headers>(expected);
    this.#keys = new Spans(expected);
    this.#values = new Spans(expected);
  }

  /** A record that came from event `index`, with the value that was written last and, with `hasKey`, the key that was written last. */
  add(index: number, topic: string, hasKey: boolean, headers: Headers, timestampMs: number): void {
    this.#head(index, topic, headers, timestampMs);
    const { keys } = this;
    if (hasKey) this.#keys.add(keys.bytes, keys.start, keys.at);
    else this.#keys.addNull();
    this.#addValue();
  }

  /** The same with a key that is written once somebody asks: who writes lines never does, and it costs a seventh of the record. */
  addBeforeKey(index: number, topic: string, headers: Headers, timestampMs: number): void {
    this.#head(index, topic, headers, timestampMs);
    this.#keys.addLater();
    this.#addValue();
  }

  #addValue(): void {
    const { values } = this;
    values.room(1);
    values.bytes[values.at++] = LINE_FEED;
    this.#values.add(values.bytes, values.start, values.at);
  }

  /** A record without a value, with the key that was written last. */
  addKey(index: number, topic: string, headers: Headers, timestampMs: number): void {
    this.#head(index, topic, headers, timestampMs);
    this.#keys.add(this.keys.bytes, this.keys.start, this.keys.at);
    this.#values.addNull();
  }

  /** A record without a value, with the key of the one before. */
  addTombstone(index: number, topic: string, headers: Headers, timestampMs: number): void {
    this.#head(index, topic, headers, timestampMs);
    this.#keys.repeat();
    this.#values.addNull();
  }

  /** A record whose parts were made elsewhere. */
  addMade(index: number, topic: string, key: Uint8Array | null, value: Uint8Array, headers: Headers, timestampMs: number): void {
    if (key !== null) {
      this.keys.begin();
      this.keys.raw(key);
    }
    this.values.begin();
    this.values.raw(value);
    this.add(index, topic, key !== null, headers, timestampMs);
  }

  get length(): number {
    return this.#length;
  }

  /** Takes back the records from `length` on: their event cannot be written whole. */
  cut(length: number): void {
    this.#length = this.#keys.length = this.#values.length = length;
  }

  #head(index: number, topic: string, headers: Headers, timestampMs: number): void {
    const at = this.#length++;
    if (at >= this.#event.length) this.#grow();
    this.#event[at] = index;
    this.#timestampMs[at] = timestampMs;
    this.#topic[at] = topic;
    this.#headers[at] = headers;
  }

  finish(): EncodedBatch {
    for (const list of [this.#topic, this.#headers]) list.length = this.#length;
    return new EncodedRecords({
      event: this.#event.subarray(0, this.#length),
      topic: this.#topic,
      keys: this.#keys,
      values: this.#values,
      headers: this.#headers,
      timestampMs: this.#timestampMs.subarray(0, this.#length),
      writeKey: this.#writeKey,
      pool: this.#pool,
      chunks: [...this.keys.chunks, ...this.values.chunks],
    });
  }

  #grow(): void {
    const size = this.#event.length * 2 + 8;
    const event = new Uint32Array(size),
      timestampMs = new Float64Array(size);
    event.set(this.#event);
    timestampMs.set(this.#timestampMs);
    this.#event = event;
    this.#timestampMs = timestampMs;
  }
}
