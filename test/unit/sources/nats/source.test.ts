// Receipts, what a delivery says of itself, and what a configuration may not say.

import { headers } from '@nats-io/transport-node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../src/sdk/index.ts';
import { streamNameFor, validate } from '../../../../src/sources/nats/config.ts';
import { messageOf, parseReply } from '../../../../src/sources/nats/delivered.ts';
import { Receipts } from '../../../../src/sources/nats/receipts.ts';
import { natsSourceConfig } from '../../../helpers/nats.ts';

describe('the reply subject of a delivery', () => {
  it.each([
    ['$JS.ACK.CDC.reader.1.7.3.1700000000123456789.0', { deliveries: 1, sequence: 7, timestampMs: 1_700_000_000_123 }],
    ['$JS.ACK.hub.ACHASH.CDC.reader.2.8.3.1700000000123456789.5.token', { deliveries: 2, sequence: 8, timestampMs: 1_700_000_000_123 }],
    ['$JS.ACK.hub.ACHASH.CDC.reader.2.8.3.1700000000123456789.5', { deliveries: 2, sequence: 8, timestampMs: 1_700_000_000_123 }],
    ['_INBOX.abc', null],
    ['a.b.c.d.e.f.g.h.i', null],
  ])('%s is read', (reply, expected) => {
    expect(parseReply(reply)).toEqual(expected);
  });
});

describe('a message', () => {
  it('has its key from a header, its value from the payload, and headers of its producer alone', () => {
    const own = headers();
    own.set('Cdc-Key', '{"id":1}');
    own.set('Nats-Msg-Id', 'x');
    own.set('origin', 'shop');
    own.set('Cdc-Region', 'eu');
    expect(messageOf({ subject: 's', data: Buffer.from('v'), headers: own })).toEqual({
      topic: 's',
      key: Buffer.from('{"id":1}'),
      value: Buffer.from('v'),
      headers: { origin: 'shop', 'Cdc-Region': 'eu' },
    });
    expect(messageOf({ subject: 's', data: new Uint8Array(), headers: undefined })).toMatchObject({
      key: null,
      value: null,
      headers: null,
    });
  });
});

describe('receipts', () => {
  it('cover what was handed over up to them, and nothing of another session', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 50 }), fc.nat(), (sequences, pick) => {
        const receipts = new Receipts(7),
          given = sequences.map((s) => receipts.give(s, `r${s}`)),
          at = pick % sequences.length;
        expect(receipts.upTo(given[at])).toEqual(sequences.slice(0, at + 1).map((s) => [s, `r${s}`]));
        expect(new Receipts(8).upTo(given[at])).toEqual([]);
        expect(receipts.upTo('6-1' as Position)).toEqual([]);
        receipts.forget(receipts.upTo(given[at]));
        expect(receipts.size).toBe(sequences.length - at - 1);
        expect([...given].sort()).toEqual(given);
      }),
    );
  });

  it('finish the newest delivery of a message that came again', () => {
    const receipts = new Receipts(1),
      receipt = receipts.give(5, 'old');
    expect(receipts.renew(5, 'new')).toBe(true);
    expect(receipts.renew(6, 'x')).toBe(false);
    expect(receipts.upTo(receipt)).toEqual([[5, 'new']]);
  });
});

describe('a configuration', () => {
  it.each([
    [{ subject: 'a' }, []],
    [{ subjects: ['a', 'b.>'] }, []],
    [{ stream: 'S' }, []],
    [{}, ['subject']],
    [{ subject: 'a', subjects: ['b'] }, ['subjects']],
    [{ mode: 'core', stream: 'S' }, ['subject', 'stream']],
    [{ mode: 'core', subject: 'a', durable_name: 'd' }, ['durable_name']],
    [{ subject: 'a', queue_group: 'q' }, ['queue_group']],
    [{ subject: 'a', servers: ['nats://b'] }, ['url']],
    [{ subject: 'a', url: 'http://b' }, ['url']],
    [{ subject: 'a', username: 'u', token: 't' }, ['token']],
    [{ subject: 'a', password: 'p' }, ['password']],
    [{ subject: 'a', jwt: 'j' }, ['jwt']],
    [{ subject: 'a', tls: { cert: 'c', verify: true, handshake_first: false } }, ['tls']],
  ] as const)('%j has problems at %j', (changes, expected) => {
    expect(validate(natsSourceConfig('nats://localhost', changes as never)).map((p) => String(p.path[0]))).toEqual(expected);
  });

  it.each([
    [['cdc.events'], 'CDC_EVENTS'],
    [['cdc.>'], 'CDC'],
    [['a.*.b'], 'A_B'],
    [['>'], 'CDC'],
  ])('makes of %j the stream %s', (subjects, name) => {
    expect(streamNameFor(subjects)).toBe(name);
  });
});
