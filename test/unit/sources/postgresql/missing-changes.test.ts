import { describe, expect, it } from 'vitest';
import type { SnapshotProgress } from '../../../../src/sdk/index.ts';
import { type Missing, missingOf, verdictOn } from '../../../../src/sources/postgresql/missing-changes.ts';
import type { Published } from '../../../../src/sources/postgresql/replication/published.ts';

type Table = readonly [relation: number, memberships: readonly number[]];
const published = (tables: Readonly<Record<string, Table>>, row: Published['row'] = null): Published => ({
  publication: 1,
  row,
  tables: Object.fromEntries(
    Object.entries(tables).map(([table, [relation, memberships]]) => [
      `public.${table}`,
      { schema: 'public', table, relation, memberships },
    ]),
  ),
});

describe('what is missing of tables', () => {
  it.each<[string, Table | null, Table | null, Missing['why'] | null]>([
    ['nothing has happened', [10, [7]], [10, [7]], null],
    ['taken out', [10, [7]], [10, []], 'left'],
    ['put back', [10, [7]], [10, [8]], 'rejoined'],
    ['sent for another reason, too, and then for that alone', [10, [7, 8]], [10, [8]], null],
    ['another table of the name, published', [10, [7]], [11, [7]], 'recreated'],
    ['another table of the name, not published', [10, [7]], [11, []], 'recreated'],
    ['dropped', [10, [7]], null, null],
    ['new', null, [10, [7]], null],
    ['never sent as far as we know', [10, []], [10, []], null],
  ])('%s', (_what, before, now, why) => {
    const found = missingOf(published(before === null ? {} : { a: before }), published(now === null ? {} : { a: now }), []);
    expect(found.map((m) => m.why)).toEqual(why === null ? [] : [why]);
  });

  it.each<[string, Published['row'], Table, Missing['why'] | null]>([
    ['written again as it was', { settings: 's', version: '2' }, [10, [7]], 'altered'],
    ['written again as another one', { settings: 't', version: '2' }, [10, [7]], null],
    ['not written again', { settings: 's', version: '1' }, [10, [7]], null],
    ['written again, and the table is out', { settings: 's', version: '2' }, [10, []], 'left'],
    ['written again, and the table is another one', { settings: 's', version: '2' }, [11, [7]], 'recreated'],
  ])('the row of the publication was %s', (_what, row, now, why) => {
    const known = published({ a: [10, [7]] }, { settings: 's', version: '1' });
    expect(missingOf(known, published({ a: now }, row), []).map((m) => m.why)).toEqual(why === null ? [] : [why]);
    expect(missingOf(published({ a: [10, []] }, known.row), published({ a: [10, [7]] }, row), [])).toEqual([]);
    // Stored when nobody kept the row.
    const { row: _, ...without } = known;
    expect(missingOf(without as Published, published({ a: [10, [7]] }, row), [])).toEqual([]);
  });

  it.each<[SnapshotProgress['state'], readonly Missing['why'][]]>([
    ['done', ['returned']],
    ['running', []],
  ])('a table that nothing is known of but a snapshot that is %s', (state, why) => {
    const progress = { source: 'db', table: 'public.a', run: 'r', chunk: 1, lastKey: null, state, rows: 1 };
    expect(missingOf(published({}), published({ a: [10, [7]] }), [progress]).map((m) => m.why)).toEqual(why);
  });
});

describe('what becomes of a table', () => {
  const modes = ['initial', 'when_needed', 'never'] as const;
  it.each<[Missing['why'], boolean, string]>([
    ['left', true, 'refuse, read anew, refuse'],
    ['rejoined', true, 'refuse, read anew, refuse'],
    ['altered', true, 'refuse, read anew, refuse'],
    ['left', false, 'refuse, refuse, refuse'],
    ['recreated', true, 'read anew, read anew, go on'],
    ['recreated', false, 'go on, go on, go on'],
    ['returned', true, 'read anew, read anew, go on'],
  ])('%s, read first: %s → with initial, when_needed, never: %s', (why, isWanted, verdicts) => {
    expect(modes.map((mode) => verdictOn(why, isWanted && mode !== 'never', mode, null)).join(', ')).toBe(verdicts);
  });

  it.each(modes)('an operator decides (%s)', (mode) => {
    for (const why of ['left', 'rejoined', 'altered', 'recreated', 'returned'] as const) {
      expect(verdictOn(why, true, mode, 'begin')).toBe('read anew');
      expect(verdictOn(why, true, mode, 'skip')).toBe('go on');
    }
  });
});
