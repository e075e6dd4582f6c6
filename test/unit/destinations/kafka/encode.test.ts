import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Addressed, address, type EncodeOptions, requestOf, roundsOf } from '../../../../src/destinations/kafka/encode.ts';
import { TopicTemplate } from '../../../../src/destinations/kafka/topic-template.ts';
import { createEnvelope } from '../../../../src/envelope/create.ts';
import { Events, item, laneBatch } from '../../../../src/sdk/testing/index.ts';

const envelope = createEnvelope(
  { type: 'debezium', options: {} },
  { pipeline: 'p', sources: { origin: { connector: 'generator', database: null, fields: () => ({}) } }, now: () => 0 },
);
const options = (changes: Partial<EncodeOptions> = {}): EncodeOptions => ({
  template: new TopicTemplate('t'),
  keyField: null,
  headers: {},
  ...changes,
});

function addressed(make: (e: Events) => ReturnType<Events['create']>[], o: EncodeOptions, skip: number[] = []) {
  const batch = laneBatch(make(new Events()), { encode: (events) => envelope.encode(events), skip });
  return address(batch, batch.encoded(), o);
}

const keysOf = (records: readonly Addressed[]): (string | null)[] => records.map((r) => r.key?.toString() ?? null);

describe('address', () => {
  it('leaves out what is to be skipped', () => {
    const { records } = addressed((e) => [e.create(item(1, 'a')), e.create(item(2, 'b'))], options(), [0]);
    expect(records.map((r) => r.event)).toEqual([1]);
  });

  it('takes the key from a column, of the row as it was for what is removed', () => {
    const { records, failed } = addressed(
      (e) => [e.create(item(1, 'a')), e.remove(item(2, 'b')), e.update(item(3, 'old'), item(4, 'new'))],
      options({ keyField: 'name' }),
    );
    expect(failed).toEqual([]);
    expect(keysOf(records)).toEqual(['a', 'b', 'b', 'old', 'old', 'new']);
  });

  it('refuses an event that lacks the column of the key, once', () => {
    const { records, failed } = addressed((e) => [e.create(item(1, 'a')), e.remove({ id: 2 })], options({ keyField: 'name' }));
    expect(keysOf(records)).toEqual(['a']);
    expect(failed).toMatchObject([{ index: 1, error: { code: 'DESTINATION_EVENT_REJECTED', retriable: false } }]);
  });

  it('writes a null as no key, and needs none for events without rows', () => {
    const { records, failed } = addressed((e) => [e.create(item(1, 'a', null)), e.truncate()], options({ keyField: 'note' }));
    expect([keysOf(records), failed]).toEqual([[null, null], []]);
  });

  it('adds headers of the configuration, and lets those of the event win', () => {
    const { records } = addressed(
      (e) => [e.make({ op: 'c', after: item(1, 'a'), headers: { own: 'event' } })],
      options({ headers: { own: 'config', other: 'config' } }),
    );
    expect(records[0]?.headers).toMatchObject({ own: 'event', other: 'config' });
  });
});

describe('roundsOf', () => {
  const byKey = { next: () => undefined, partition: (r: { key: Uint8Array | null }) => (r.key?.[0] ?? 0) % 3 };
  const record = fc.record({ key: fc.uint8Array({ minLength: 1, maxLength: 4 }), size: fc.integer({ min: 0, max: 500 }) });

  it('keeps all records in order, and no partition of a round above the bound but for one record', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 60 }), fc.integer({ min: 100, max: 2000 }), (list, bound) => {
        const records = list.map(({ key, size }, event): Addressed => {
          return {
            event,
            topic: event % 2 === 0 ? 'a' : 'b',
            key: Buffer.from(key),
            value: Buffer.alloc(size),
            headers: {},
          };
        });
        const rounds = roundsOf(records, byKey, () => 3, bound, 7);
        expect(rounds.flat().map((r) => r.event)).toEqual(records.map((r) => r.event));
        for (const round of rounds) {
          const sizes = new Map<string, number[]>();
          for (const r of round) {
            const at = `${r.topic} ${r.record.partition}`;
            sizes.set(at, [...(sizes.get(at) ?? []), r.bytes]);
          }
          for (const of of sizes.values()) expect(of.length === 1 || of.reduce((a, b) => a + b, 0) <= bound).toBe(true);
        }
      }),
    );
  });

  it('becomes one request with a list per topic', () => {
    const records = ['a', 'b', 'a'].map((topic, event): Addressed => ({ event, topic, key: null, value: null, headers: {} }));
    const [round = []] = roundsOf(records, byKey, () => 1, 1000, 7);
    expect(requestOf(round).map(({ topic, messages }) => [topic, messages.length, messages[0]?.timestamp])).toEqual([
      ['a', 2, '7'],
      ['b', 1, '7'],
    ]);
  });
});
