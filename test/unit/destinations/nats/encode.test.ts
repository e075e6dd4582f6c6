// Subjects, messages, and the point's record.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessages } from '../../../../src/destinations/nats/encode.ts';
import { formatPoints, isSamePlace, markOf, parsePoints, pointSubject } from '../../../../src/destinations/nats/point-record.ts';
import { SubjectTemplate } from '../../../../src/destinations/nats/subject-template.ts';
import { type ChangeEvent, formatPoint } from '../../../../src/sdk/index.ts';
import { Events, ITEMS, item, laneBatch, pointAt } from '../../../../src/sdk/testing/index.ts';

const named = (database: string | null, schema: string | null, table: string): ChangeEvent =>
  ({ table: { ...ITEMS, id: { database, schema, table } }, source: 'shop' }) as unknown as ChangeEvent;

describe('a subject', () => {
  it.each([
    ['cdc.{database}.{schema}.{table}', named('shop', 'public', 'orders'), 'cdc.shop.public.orders'],
    ['cdc.{database}.{schema}.{table}', named(null, null, 'orders'), 'cdc.orders'],
    ['t.{table}', named(null, null, 'my table.2'), 't.my_table_2'],
    ['{source}.{table}', named(null, null, 'a>b*'), 'shop.a_b_'],
    ['{topic}', named(null, 'public', 'orders'), 'pre.public.orders'],
    ['fixed', named(null, null, 'orders'), 'fixed'],
    ['{schema}', named(null, null, 'orders'), '_'],
  ])('of %s is made of %o', (template, event, subject) => {
    expect(new SubjectTemplate(template).of(event, 'pre.public.orders')).toBe(subject);
  });

  it.each([
    ['cdc.{schema}.{table}', 'cdc.>'],
    ['a.b.{table}', 'a.b.>'],
    ['a.b-{table}', 'a.>'],
    ['fixed.one', 'fixed.one'],
    ['{topic}', null],
  ])('of %s lies below %s', (template, pattern) => {
    expect(new SubjectTemplate(template).pattern).toBe(pattern);
  });
});

const options = { template: new SubjectTemplate('cdc.{table}'), scope: 'p/d/', maxBytes: 2000 };

describe('a batch', () => {
  it('is a message for each record, with an id of its own and the key', () => {
    const e = new Events(),
      batch = laneBatch([e.create(item(1, 'a')), e.remove(item(1, 'a'))]);
    const { messages, failed } = encodeMessages(batch, batch.encoded(), options);
    expect(failed).toEqual([]);
    expect(messages.every((m) => m.subject === 'cdc.items')).toBe(true);
    expect(new Set(messages.map((m) => m.id)).size).toBe(messages.length);
    expect(messages[0]).toMatchObject({ event: 0, id: `p/d/${batch.events[0]?.id}`, lines: expect.stringMatching(/^Cdc-Key: .*\r\n$/) });
  });

  it('leaves out what is to be skipped, and names what is too large', () => {
    const e = new Events(),
      batch = laneBatch([e.create(item(1, 'a')), e.create(item(2, 'x'.repeat(3000))), e.create(item(3, 'c'))], { skip: new Set([0]) });
    const { messages, failed } = encodeMessages(batch, batch.encoded(), options);
    expect(messages.map((m) => m.event)).toEqual([2]);
    expect(failed).toMatchObject([{ index: 1, error: { code: 'DESTINATION_EVENT_REJECTED' } }]);
  });

  it.each([
    ['a key that no header has room for', { maxBytes: 1 << 20 }, Buffer.alloc(70_000, 'k'), 'Key and headers have'],
    ['a subject that no line has room for', { template: new SubjectTemplate(`cdc.${'x'.repeat(1000)}`) }, null, 'The subject has'],
  ])('names an event with %s', (_, changes, key, message) => {
    const batch = laneBatch([new Events().create(item(1, 'a'))]),
      { messages, failed } = encodeMessages(batch, { ...batch.encoded(), key: [key] }, { ...options, ...changes });
    expect(messages).toEqual([]);
    expect(failed).toMatchObject([{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED', message: expect.stringContaining(message) } }]);
  });

  it('writes keys that no header can hold in base64, and refuses headers that none can be', () => {
    const e = new Events(),
      batch = laneBatch([e.create(item(1, 'a')), e.create(item(2, 'b'))]),
      encoded = batch.encoded();
    const odd = { ...encoded, key: [Buffer.from('a\r\nb'), Buffer.from('k')], headers: [null, { bad: 'a\nb' }] };
    const { messages, failed } = encodeMessages(batch, odd, options);
    expect(messages.map((m) => m.lines)).toEqual([`Cdc-Key-Base64: ${Buffer.from('a\r\nb').toString('base64')}\r\n`]);
    expect(failed.map((f) => f.index)).toEqual([1]);
  });
});

describe('a header of the event', () => {
  it.each(['Nats-Rollup', 'nats-msg-id', 'Nats-TTL', 'Nats-Schedule', 'Cdc-Key', 'Cdc-Event-Id'])(
    '%s is refused: the server, or our own source, would obey it',
    (name) => {
      const batch = laneBatch([new Events().create(item(1, 'a'))]),
        { messages, failed } = encodeMessages(batch, { ...batch.encoded(), headers: [{ [name]: 'all' }] }, options);
      expect(messages).toEqual([]);
      expect(failed).toMatchObject([{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED', message: expect.stringContaining(name) } }]);
    },
  );

  it.each(['Cdc-Region', 'X-Nats-Rollup', 'natsy'])('%s goes along', (name) => {
    const batch = laneBatch([new Events().create(item(1, 'a'))]),
      { messages } = encodeMessages(batch, { ...batch.encoded(), headers: [{ [name]: 'all' }] }, options);
    expect(messages[0]?.lines).toContain(`${name}: all\r\n`);
  });
});

describe('the record of points', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat(), { maxLength: 5 }), fc.array(fc.string(), { maxLength: 50 }), (epoch, places, ids) => {
        const stored = { epoch, points: places.map((n) => formatPoint(pointAt(n))), ahead: new Set(ids.map(markOf)) };
        expect(parsePoints(formatPoints(stored), 's')).toEqual(stored);
      }),
    );
  });

  it.each(['', '{', '{}', '{"epoch":"1","points":[]}', '{"epoch":1,"points":["x"]}'])('is refused when it reads %j', (text) => {
    expect(() => parsePoints(Buffer.from(text), 's')).toThrow(/cannot be read/);
  });

  it('is the same place under another epoch only', () => {
    const point = pointAt(3);
    expect(isSamePlace([formatPoint(point)], [{ ...point, epoch: 9 }])).toBe(true);
    expect(isSamePlace([formatPoint(point)], [pointAt(4)])).toBe(false);
    expect(isSamePlace([formatPoint(point)], [])).toBe(false);
  });

  it('has a subject of its own for each lane, whatever their names', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (a, b, c, d) => {
        const one = pointSubject({ pipeline: a, lane: b }),
          other = pointSubject({ pipeline: c, lane: d });
        expect(one === other).toBe(a === c && b === d);
        expect(one).toMatch(/^cdc_run\.point\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*$/);
      }),
    );
  });
});
