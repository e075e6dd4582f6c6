// Encoding for lanes: events → records once per log batch and envelope configuration, shared by all lanes that use the same.

import type { Envelope } from '../envelope/envelope.ts';
import type { LogBatch } from '../log/change-log.ts';
import type { BatchEnvelope, ChangeEvent, EncodedBatch } from '../sdk/index.ts';

/** A stretch of a log batch that went into a lane batch: events `from` (inclusive) to `to` (exclusive). */
export interface Piece {
  readonly batch: LogBatch;
  readonly from: number;
  readonly to: number;
}

/**
 * Of so much of the log, and of as much before, the records are kept for lanes that come to it later; one further behind encodes again.
 * Without a bound those of all that waits for a stalled destination would be held, and they are larger than the events.
 */
const KEPT_BYTES = 4 * 1024 * 1024;

/** One per envelope configuration of a pipeline. */
export class SharedEncoder {
  readonly #envelope: Envelope;
  /** What it was made with, for destinations that write other formats. */
  readonly description: BatchEnvelope;
  /** How many lanes use it: with one there is nothing to share. */
  users = 0;
  /** Two, of which the older goes as a whole: a list of what is in them would keep batches that nobody has any more. */
  #newer = new WeakMap<LogBatch, EncodedBatch>();
  #older = new WeakMap<LogBatch, EncodedBatch>();
  #newerBytes = 0;

  constructor(envelope: Envelope, description: BatchEnvelope) {
    this.#envelope = envelope;
    this.description = description;
  }

  /** `events` are those of `pieces`, unless some were dropped: then `pieces` is `null`. */
  encode(events: readonly ChangeEvent[], pieces: readonly Piece[] | null): EncodedBatch {
    if (pieces === null || this.users < 2) return this.#envelope.encode(events);
    const [first] = pieces;
    if (pieces.length === 1 && first !== undefined && first.to - first.from === first.batch.events.length) return this.#whole(first.batch);
    return joinPieces(pieces.map((p) => ({ piece: p, encoded: this.#whole(p.batch) })));
  }

  /** Nobody reads the records any more. Those that another lane may have, or get, are left alone. */
  release(encoded: EncodedBatch): void {
    if (this.users < 2) encoded.release?.();
  }

  #whole(batch: LogBatch): EncodedBatch {
    let encoded = this.#newer.get(batch) ?? this.#older.get(batch);
    if (encoded === undefined) {
      encoded = this.#envelope.encode(batch.events);
      if (this.#newerBytes > KEPT_BYTES) {
        this.#older = this.#newer;
        this.#newer = new WeakMap();
        this.#newerBytes = 0;
      }
      this.#newer.set(batch, encoded);
      this.#newerBytes += batch.bytes;
    }
    return encoded;
  }
}

function joinPieces(parts: readonly { piece: Piece; encoded: EncodedBatch }[]): EncodedBatch {
  const event: number[] = [],
    timestampMs: number[] = [];
  const topic: string[] = [],
    key: (Uint8Array | null)[] = [],
    value: (Uint8Array | null)[] = [];
  const headers: EncodedBatch['headers'][number][] = [];
  let base = 0;
  for (const { piece, encoded } of parts) {
    for (let i = 0; i < encoded.event.length; i++) {
      const at = encoded.event[i] as number;
      if (at < piece.from || at >= piece.to) continue;
      event.push(base + at - piece.from);
      topic.push(encoded.topic[i] as string);
      key.push(encoded.key[i] as Uint8Array | null);
      value.push(encoded.value[i] as Uint8Array | null);
      headers.push(encoded.headers[i] as EncodedBatch['headers'][number]);
      timestampMs.push(encoded.timestampMs[i] as number);
    }
    base += piece.to - piece.from;
  }
  return { event: Uint32Array.from(event), topic, key, value, headers, timestampMs: Float64Array.from(timestampMs) };
}
