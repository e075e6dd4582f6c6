import { describe, expect, it } from 'vitest';
import { type Piece, SharedEncoder } from '../../../src/engine/encoding.ts';
import type { LogBatch } from '../../../src/log/change-log.ts';
import { ChangeEvent, type EncodedBatch, type Position } from '../../../src/sdk/index.ts';

const MIB = 1024 * 1024;
const table = { id: { database: null, schema: null, table: 'orders' }, columns: [], key: [], version: 1 } as const;
const event = (n: number): ChangeEvent =>
  new ChangeEvent({ op: 'c', table, source: 's', partition: 'main', position: `${n}` as Position, sourceTsMs: 1, after: { n } });

/** How often each batch was encoded, by the number of its event. */
function encoderOf(users: number): { encoder: SharedEncoder; encoded: Map<number, number> } {
  const encoded = new Map<number, number>();
  const encode = (events: readonly ChangeEvent[]): EncodedBatch => {
    for (const e of events) encoded.set(Number(e.position), (encoded.get(Number(e.position)) ?? 0) + 1);
    const none = events.map(() => null);
    return {
      event: Uint32Array.from(events.keys()),
      topic: events.map(() => 'orders'),
      key: none,
      value: none,
      headers: none,
      timestampMs: new Float64Array(events.length),
    };
  };
  const encoder = new SharedEncoder({ encode }, { type: 'plain', options: {}, context: {} as never });
  encoder.users = users;
  return { encoder, encoded };
}

const pieceOf = (n: number, bytes: number): Piece => ({ batch: { events: [event(n)], bytes } as unknown as LogBatch, from: 0, to: 1 });

describe('what lanes share', () => {
  const run = (encoder: SharedEncoder, pieces: readonly Piece[]): void => {
    for (const piece of pieces) encoder.encode(piece.batch.events, [piece]);
  };

  it('is encoded once for lanes that are near each other', () => {
    const { encoder, encoded } = encoderOf(2),
      pieces = [1, 2, 3, 4].map((n) => pieceOf(n, MIB));
    run(encoder, pieces);
    run(encoder, pieces);
    expect([...encoded.values()]).toEqual([1, 1, 1, 1]);
  });

  it('is encoded again for one that is far behind, and then once for others that are', () => {
    const { encoder, encoded } = encoderOf(3),
      pieces = Array.from({ length: 20 }, (_, n) => pieceOf(n, MIB));
    run(encoder, pieces);
    expect(new Set(encoded.values())).toEqual(new Set([1]));
    run(encoder, pieces.slice(0, 4));
    run(encoder, pieces.slice(0, 4));
    expect([...encoded.values()].slice(0, 5)).toEqual([2, 2, 2, 2, 1]);
  });

  it('is kept where one batch alone is larger than what may be kept', () => {
    const { encoder, encoded } = encoderOf(2),
      large = pieceOf(1, 100 * MIB);
    run(encoder, [large, large]);
    expect(encoded.get(1)).toBe(1);
  });
});
