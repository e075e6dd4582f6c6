// How events are spread over the workers of a lane.

import { describe, expect, it } from 'vitest';
import type { ParallelismConfig } from '../../../src/engine/pipeline-config.ts';
import { BARRIER, createSlots } from '../../../src/engine/slots.ts';
import { ChangeEvent, type ChangeEventInit, type Position, type Row } from '../../../src/sdk/index.ts';
import { ITEMS } from '../../../src/sdk/testing/sample-tables.ts';

const event = (op: ChangeEvent['op'], rows: Partial<Pick<ChangeEventInit, 'before' | 'after'>>): ChangeEvent =>
  new ChangeEvent({ op, table: ITEMS, source: 's', partition: 'p', position: '1' as Position, sourceTsMs: 0, ...rows });
const row = (id: number, name = 'a'): Row => ({ id, name, note: null });
const slots = (more: Partial<ParallelismConfig> = {}, partition: ((e: ChangeEvent) => unknown) | null = null) =>
  createSlots({ workers: 4, strategy: 'hash', field: null, ranges: [], module: null, ...more }, partition);

describe('by key', () => {
  it('gives all events of a row to one worker, and uses all workers', () => {
    const { of } = slots();
    const used = new Set<number>();
    for (let id = 0; id < 200; id++) {
      const slot = of(event('c', { after: row(id) }));
      expect(of(event('u', { before: row(id), after: row(id, 'b') }))).toBe(slot);
      expect(of(event('d', { before: row(id) }))).toBe(slot);
      used.add(slot);
    }
    expect([...used].sort()).toEqual([0, 1, 2, 3]);
  });

  it('spreads alike on every machine', () => {
    const { of } = slots();
    expect([1, 2, 3, 4, 5, 6].map((id) => of(event('c', { after: row(id) })))).toMatchInlineSnapshot(`
      [
        0,
        1,
        2,
        3,
        0,
        1,
      ]
    `);
  });

  it.each([
    ['a truncate', event('t', {})],
    ['a change of schema', event('s', {})],
    ['a change of key', event('u', { before: row(1), after: row(2) })],
  ])('makes %s a barrier', (_title, e) => {
    expect(slots().of(e)).toBe(BARRIER);
  });

  it('gives a table without a key to one worker', () => {
    const table = { ...ITEMS, key: [] },
      keyless = (id: number) =>
        new ChangeEvent({ op: 'c', table, source: 's', partition: 'p', position: '1' as Position, sourceTsMs: 0, after: row(id) });
    expect(new Set([1, 2, 3, 4, 5].map((id) => slots().of(keyless(id)))).size).toBe(1);
  });
});

describe('by a column', () => {
  it('gives equal values to one worker, whatever the key', () => {
    const { of } = slots({ field: 'name' });
    expect(new Set([1, 2, 3].map((id) => of(event('c', { after: row(id, 'x') })))).size).toBe(1);
  });

  it('makes an update a barrier when the column changes, or when nothing tells what it was', () => {
    const { of } = slots({ field: 'name' });
    expect(of(event('u', { before: row(1, 'a'), after: row(1, 'b') }))).toBe(BARRIER);
    expect(of(event('u', { before: { id: 1 }, after: row(1, 'b') }))).toBe(BARRIER);
    expect(of(event('u', { before: row(1, 'b'), after: row(1, 'b') }))).not.toBe(BARRIER);
  });

  it('makes an event a barrier that lacks the column', () => {
    expect(slots({ field: 'name' }).of(event('d', { before: { id: 1 } }))).toBe(BARRIER);
  });

  it('gives ranges of values to workers', () => {
    const { of } = slots({ strategy: 'range', field: 'id', ranges: [10, 20, 30] });
    expect([-5, 9, 10, 19, 20, 30, 99].map((id) => of(event('c', { after: row(id) })))).toEqual([0, 0, 1, 1, 2, 3, 3]);
  });
});

it('by a function of the user: a number or a text; nothing is a barrier', () => {
  const of = (value: unknown) => slots({ strategy: 'custom' }, () => value).of(event('c', { after: row(1) }));
  expect([of(5), of(2), of(null), of(undefined)]).toEqual([1, 2, BARRIER, BARRIER]);
  expect(of('eu')).toBe(of('eu'));
});

it('with one worker only what has no row is a barrier', () => {
  const { of } = slots({ workers: 1 });
  expect([of(event('u', { before: row(1), after: row(2) })), of(event('t', {}))]).toEqual([0, BARRIER]);
});
