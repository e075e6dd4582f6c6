// Collects the records of one batch and turns them into an `EncodedBatch`.

import type { EncodedBatch } from '../sdk/index.ts';
import { JsonWriter } from './json-writer.ts';

/** Of one record, roughly. */
const EXPECTED_BYTES = 1024;

type Headers = EncodedBatch['headers'][number];

export class RecordWriter {
  /** Where keys and values are written: `begin`, write, `end` gives the bytes for `add`. */
  readonly json: JsonWriter;
  #event: Uint32Array;
  #timestampMs: Float64Array;
  #length = 0;
  readonly #topic: string[];
  readonly #key: (Uint8Array | null)[];
  readonly #value: (Uint8Array | null)[];
  readonly #headers: Headers[];

  /** `expected`: most batches give one record per event. */
  constructor(expected: number) {
    this.json = new JsonWriter(expected * EXPECTED_BYTES);
    this.#event = new Uint32Array(expected);
    this.#timestampMs = new Float64Array(expected);
    this.#topic = new Array<string>(expected);
    this.#key = new Array<Uint8Array | null>(expected);
    this.#value = new Array<Uint8Array | null>(expected);
    this.#headers = new Array<Headers>(expected);
  }

  /** A record that came from event `index`; a `null` value is a tombstone. */
  add(index: number, topic: string, key: Uint8Array | null, value: Uint8Array | null, headers: Headers, timestampMs: number): void {
    const at = this.#length++;
    if (at >= this.#event.length) this.#grow();
    this.#event[at] = index;
    this.#timestampMs[at] = timestampMs;
    this.#topic[at] = topic;
    this.#key[at] = key;
    this.#value[at] = value;
    this.#headers[at] = headers;
  }

  finish(): EncodedBatch {
    for (const list of [this.#topic, this.#key, this.#value, this.#headers]) list.length = this.#length;
    return {
      event: this.#event.subarray(0, this.#length),
      topic: this.#topic,
      key: this.#key,
      value: this.#value,
      headers: this.#headers,
      timestampMs: this.#timestampMs.subarray(0, this.#length),
    };
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
