import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SharedEncoder } from '../../../src/engine/encoding.ts';
import { createEnvelope } from '../../../src/envelope/create.ts';
import { ChangeEvent, type EncodedBatch, type Position } from '../../../src/sdk/index.ts';

const table = {
  id: { database: 'shop', schema: 'public', table: 'orders' },
  columns: [
    { name: 'id', type: 'int64', nativeType: 'bigint', nullable: false },
    { name: 'note', type: 'string', nativeType: 'text', nullable: true },
  ],
  key: ['id'],
  version: 1,
} as const;

function event(n: number, op: 'c' | 'd', length: number): ChangeEvent {
  const row = { id: BigInt(n), note: `${n}`.repeat(length) };
  return new ChangeEvent({
    op,
    table,
    source: 'shop',
    partition: 'main',
    position: String(n).padStart(8, '0') as Position,
    sourceTsMs: 1,
    ...(op === 'c' ? { after: row } : { before: row }),
  });
}

const context = {
  pipeline: 'p',
  version: '0',
  now: () => 1,
  sources: { shop: { connector: 'postgresql', database: 'shop', fields: () => ({}) } },
};
const TYPES = ['debezium', 'plain', 'cloudevents'] as const;
const envelopeOf = (type: (typeof TYPES)[number]) => createEnvelope({ type, options: {} }, context);

const texts = ({ key, value }: EncodedBatch): unknown =>
  [key, value].map((list) => list.map((bytes) => (bytes === null ? null : Buffer.from(bytes).toString())));

/** The lines as a destination reads them. */
function linesOf({ lines, value }: EncodedBatch): (string | null)[] {
  if (lines === undefined) throw new Error('no lines');
  return value.map((_, i) => {
    const bytes = lines.buffers[lines.buffer[i] as number];
    return bytes === undefined ? null : Buffer.from(bytes.subarray(lines.start[i], lines.end[i])).toString();
  });
}

const batches = fc.array(
  fc.record({
    rows: fc.array(fc.tuple(fc.constantFrom<'c' | 'd'>('c', 'd'), fc.integer({ min: 0, max: 30_000 })), { minLength: 1, maxLength: 12 }),
    // How many batches later it is given back; more than there are: never.
    releasedAfter: fc.integer({ min: 0, max: 9 }),
  }),
  { minLength: 2, maxLength: 9 },
);

describe('records of a batch', () => {
  test.each(TYPES)('%s: what was not given back stays as it was, whatever is encoded after it', (type) => {
    fc.assert(
      fc.property(batches, (plan) => {
        const envelope = envelopeOf(type);
        const held: { encoded: EncodedBatch; views: EncodedBatch['value']; expected: unknown; until: number }[] = [];
        plan.forEach(({ rows, releasedAfter }, n) => {
          const events = rows.map(([op, length], i) => event(n * 100 + i + 1, op, length));
          const encoded = envelope.encode(events);
          held.push({ encoded, views: encoded.value, expected: texts(envelopeOf(type).encode(events)), until: n + releasedAfter });
          for (const one of held) if (one.until >= n) expect(texts(one.encoded)).toEqual(one.expected);
          for (const one of held) if (one.until === n) one.encoded.release?.();
        });
      }),
      { numRuns: 60 },
    );
  });

  test.each(TYPES)('%s: lines are the values, each with a line feed, without a gap within a buffer', (type) => {
    fc.assert(
      fc.property(batches, ([first]) => {
        const events = (first?.rows ?? []).map(([op, length], i) => event(i + 1, op, length));
        const encoded = envelopeOf(type).encode(events),
          { lines } = encoded;
        expect(linesOf(encoded)).toEqual(encoded.value.map((bytes) => bytes && `${Buffer.from(bytes).toString()}\n`));
        const placed = encoded.value.map((_, i) => i).filter((i) => (lines?.buffer[i] ?? -1) >= 0);
        placed.slice(1).forEach((i, n) => {
          const before = placed[n] as number;
          if (lines?.buffer[i] === lines?.buffer[before]) expect(lines?.start[i]).toBe(lines?.end[before]);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('keys that are asked for late are those of their events, of all operations in turn', () => {
    const envelope = envelopeOf('debezium'),
      encoded = envelope.encode([event(1, 'c', 1), event(2, 'd', 1), event(3, 'c', 30_000), event(4, 'c', 1)]);
    for (let n = 5; n < 9; n++) envelope.encode([event(n, 'c', 1000)]).release?.();
    const keys = encoded.key.map((bytes) => bytes && Buffer.from(bytes).toString());
    expect(keys).toEqual(['{"id":1}', '{"id":2}', '{"id":2}', '{"id":3}', '{"id":4}']);
    const keyless = new ChangeEvent({ ...event(1, 'c', 1), table: { ...table, key: [] }, position: '1' as Position, after: { id: 1n } });
    expect(envelope.encode([keyless, event(2, 'c', 1)]).key.map((bytes) => bytes?.length ?? null)).toEqual([null, 8]);
  });

  test('memory that was given back is used again', () => {
    const envelope = envelopeOf('debezium'),
      events = Array.from({ length: 500 }, (_, i) => event(i + 1, 'c', 50));
    const first = envelope.encode(events),
      memory = first.lines?.buffers.map(({ buffer }) => buffer) ?? [];
    first.release?.();
    const again = envelope.encode(events).lines?.buffers ?? [];
    expect(again.filter(({ buffer }) => memory.includes(buffer)).length).toBeGreaterThan(0);
  });

  test('records that several lanes have are never given back', () => {
    const encoder = new SharedEncoder(envelopeOf('debezium'), { type: 'debezium', options: {}, context });
    encoder.users = 2;
    const encoded = encoder.encode([event(1, 'c', 1000)], null),
      before = texts(encoded);
    encoder.release(encoded);
    for (let n = 2; n < 9; n++) encoder.release(encoder.encode([event(n, 'c', 1000)], null));
    expect(texts(encoded)).toEqual(before);
  });
});
