import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCipher } from '../../../src/dead-letters/cipher.ts';
import { formatLetter, parseLetter } from '../../../src/dead-letters/letter-codec.ts';
import { protect, unprotect } from '../../../src/dead-letters/protection.ts';
import type { DeadLetter } from '../../../src/engine/api.ts';
import { contentOf } from '../../helpers/event-content.ts';
import { anyRow, event, letter } from './samples.ts';

const HEX = 'ab'.repeat(32);
const CARD = '4111111111111111';
const secret = (changes: Partial<DeadLetter> = {}): DeadLetter =>
  letter(1, {
    stage: 'transform',
    sensitive: ['card'],
    event: event(1, {
      before: { id: 1n, card: CARD },
      after: { id: 1n, card: CARD, total: '1.00' },
      key: { id: 1n, card: CARD },
      raw: { topic: 't', key: null, value: new Uint8Array(Buffer.from(CARD)), timestampMs: 1 },
    }),
    ...changes,
  });
const stored = (l: DeadLetter): DeadLetter => parseLetter(formatLetter(l));

describe('a letter with columns that a transformer hides', () => {
  const keys: [string, string][] = [
    ['hex', HEX],
    ['base64', randomBytes(32).toString('base64')],
    ['a passphrase', 'correct horse battery'],
  ];
  it.each(keys)('holds them encrypted with a key in %s, and gives back the same event', (_form, key) => {
    const written = formatLetter(protect(secret(), createCipher(key)));
    expect(written).not.toContain(CARD);
    expect(written).not.toContain(Buffer.from(CARD).toString('base64'));
    expect(parseLetter(written).event?.after).toEqual({ id: 1n, total: '1.00' });
    const back = unprotect(parseLetter(written), createCipher(key));
    expect(contentOf(back.event)).toStrictEqual(contentOf(secret().event));
    expect(back.sensitive).toEqual(['card']);
  });

  it('does not hold them at all without a key, and says so when it is wanted back', () => {
    const written = formatLetter(protect(secret(), null));
    expect(written).not.toContain(CARD);
    expect(JSON.parse(written)).toMatchObject({ protected: { kind: 'removed', columns: ['card'] } });
    expect(() => unprotect(parseLetter(written), createCipher(HEX))).toThrowError(expect.objectContaining({ code: 'DLQ_COLUMNS_REMOVED' }));
  });

  it('cannot be opened without the key, with another one, or as another letter', () => {
    const written = stored(protect(secret(), createCipher(HEX)));
    expect(() => unprotect(written, null)).toThrowError(expect.objectContaining({ code: 'DLQ_KEY_MISSING' }));
    expect(() => unprotect(written, createCipher('cd'.repeat(32)))).toThrowError(expect.objectContaining({ code: 'DLQ_KEY_WRONG' }));
    expect(() => unprotect(written, createCipher('a passphrase instead'))).toThrowError(expect.objectContaining({ code: 'DLQ_KEY_WRONG' }));
    expect(() => unprotect({ ...written, id: 'another' }, createCipher(HEX))).toThrowError(
      expect.objectContaining({ code: 'DLQ_KEY_WRONG' }),
    );
  });

  it('protects an input that could not be decoded as a whole', () => {
    for (const input of [`{"card":"${CARD}"`, new Uint8Array(Buffer.from(CARD))]) {
      const raw = secret({ stage: 'decode', event: null, input, sensitive: 'all' });
      for (const cipher of [createCipher(HEX), null]) expect(stored(protect(raw, cipher)).input).toBeNull();
      expect(unprotect(stored(protect(raw, createCipher(HEX))), createCipher(HEX)).input).toEqual(input);
    }
  });

  it('gives back any rows to the order of their columns', () => {
    const cipher = createCipher(HEX);
    fc.assert(
      fc.property(anyRow, fc.option(anyRow), (before, after) => {
        const original = letter(1, { event: event(1, { before, after }), sensitive: ['', '__proto__', 'x'] });
        const back = unprotect(stored(protect(original, cipher)), cipher);
        return isDeepStrictEqual(contentOf(back.event), contentOf(original.event));
      }),
      { numRuns: 50 },
    );
  });

  it('is left as it is when nothing is sensitive', () => {
    expect(protect(letter(1), createCipher(HEX))).toEqual(letter(1));
  });
});
