import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPollPlace, pollPositions, pollTexts, watermarkBefore } from '../../../src/polling/places.ts';
import type { Position } from '../../../src/sdk/index.ts';

const place = (...parts: string[]): Position => JSON.stringify(parts) as Position;

describe('places of polled tables', () => {
  it.each([
    [place('i9'), place('i10'), -1],
    [place('i-10'), place('i-9'), -1],
    [place('t2024-05-01 10:00:00+00'), place('t2024-05-01 10:00:00.5+00'), -1],
    [place('t2024-05-01 10:00:00.45+00'), place('t2024-05-01 10:00:00.5+00'), -1],
    [place('t9999-01-01 00:00:00'), place('t12024-01-01 00:00:00'), -1],
    [place('t2024-05-01'), place('t2024-05-02'), -1],
    [place('t2024-05-02'), place('tinfinity'), -1],
    [place('t-infinity'), place('t2024-05-02'), -1],
    [place('t0044-03-15 00:00:00 BC'), place('t2024-05-02 00:00:00'), null],
    [place('sB'), place('sa'), -1],
    [place('s\uffff'), place('s😀'), -1],
    [place('sa'), place('sa\t'), -1],
    [place('pa\t'), place('pa'), -1],
    [place('p\uffff'), place('p😀'), -1],
    [place('i1', 'xB'), place('i1', 'xa'), null],
    [place('i1', 'xB'), place('i2', 'xa'), -1],
    [place('i1', 'xa'), place('i1', 'xa'), 0],
    [place('i1', 'i2'), place('i1', 'i3'), -1],
    [place('i5', 'i2', 'b4'), place('i5', 'i3', 'b3'), -1],
    [place('i5', 'i2', 'b4'), place('i5', 'i2'), 0],
  ])('compares %s and %s', (a, b, order) => {
    expect(pollPositions.compare(a, b)).toBe(order);
    expect(pollPositions.compare(b, a)).toBe(order === null || order === 0 ? order : -order);
    expect(pollPositions.covers(b, a)).toBe(order !== null);
    expect(pollPositions.covers(a, b)).toBe(order === 0);
  });

  it('gives the texts back as the server gave them', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (texts) => {
        expect(pollTexts(formatPollPlace(JSON.stringify(texts), ['t', 'i', 's']))).toEqual(texts);
      }),
    );
  });

  it('carry the watermark before the last one, and do not compare it', () => {
    const at = formatPollPlace('["2024-05-02","b7"]', ['t', 's'], '2024-05-01');
    expect(at).toBe('["t2024-05-02","sb7","b2024-05-01"]');
    expect([watermarkBefore(at), pollTexts(at)]).toEqual(['2024-05-01', ['2024-05-02', 'b7']]);
    expect(watermarkBefore(formatPollPlace('["1"]', ['i']))).toBeNull();
  });

  it.each(['', '["b1"]', '42', '[]', '["42"]', '[42]', '{"a":1}'])('takes %s for no place', (text) => {
    expect(pollPositions.parse?.(text)).toBe(null);
  });

  it('describes a place', () => {
    expect(pollPositions.describe(place('t2024-05-01 10:00:00+00', 'i7'))).toBe('watermark 2024-05-01 10:00:00+00, key 7');
  });
});
