import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PutMode, type RowChange, type RowWrite, reduce, type Segment } from '../../../src/relational/reduce.ts';

interface ModelTable {
  readonly place: string;
  readonly name: string;
}
type Change = RowChange<ModelTable>;
type ModelRow = Map<string, string | null>;
/** Place and key → row. The column `own` is the target's: no event has it. */
type Model = Map<string, ModelRow>;

const A: ModelTable = { place: 'a', name: 'a' };
/** The same table as A, found by another key. */
const A_BY_OTHER_KEY: ModelTable = { place: 'a', name: 'a by other key' };
const B: ModelTable = { place: 'b', name: 'b' };

// ---- what a database does, one write at a time ----------------------------------------------------------------------------

type Values = Pick<RowWrite, 'columns' | 'values'>;
const at = (table: ModelTable, key: readonly string[]): string => `${table.place}/${key.join('/')}`;

function setColumns(row: ModelRow, { columns, values }: Values): void {
  columns.forEach((column, i) => {
    row.set(column, values[i] ?? null);
  });
}

function put(model: Model, place: string, row: Values, mode: PutMode): void {
  const there = mode === 'merge' ? model.get(place) : undefined;
  const target: ModelRow = there ?? new Map([['own', 'default']]);
  setColumns(target, row);
  model.set(place, target);
}

function write(model: Model, kind: RowWrite['kind'], place: string, row: Values, mode: PutMode): void {
  const there = model.get(place);
  if (kind === 'put') put(model, place, row, mode);
  else if (kind === 'add') {
    if (there === undefined) put(model, place, row, mode);
  } else if (there !== undefined) setColumns(there, row);
}

function truncate(model: Model, table: ModelTable): void {
  for (const place of [...model.keys()]) if (place.startsWith(`${table.place}/`)) model.delete(place);
}

function move(model: Model, change: Change, mode: PutMode): void {
  const from = at(change.table, change.oldKey ?? []),
    to = at(change.table, change.key),
    row = model.get(from);
  if (row === undefined) {
    if (!change.incomplete) put(model, to, change, mode);
    return;
  }
  model.delete(from);
  model.set(to, row);
  if (change.incomplete) setColumns(row, change);
  else put(model, to, change, mode);
}

function applyOne(model: Model, change: Change, mode: PutMode): void {
  const place = at(change.table, change.key);
  if (change.kind === 'truncate') truncate(model, change.table);
  else if (change.kind === 'delete') model.delete(place);
  else if (change.kind === 'move') move(model, change, mode);
  else write(model, change.kind, place, change, mode);
}

function applySegment(model: Model, segment: Segment<ModelTable>, mode: PutMode): void {
  if (segment.kind !== 'rows') {
    applyOne(model, segment.change, mode);
    return;
  }
  for (const key of segment.deletes) model.delete(at(segment.table, key));
  const keys = segment.writes.map((w) => at(segment.table, w.key));
  // A statement may meet each row once.
  expect(new Set(keys).size).toBe(keys.length);
  for (const w of segment.writes) if (w.kind !== 'patch') write(model, w.kind, at(segment.table, w.key), w, mode);
  for (const w of segment.writes) if (w.kind === 'patch') write(model, w.kind, at(segment.table, w.key), w, mode);
}

const plain = (model: Model): unknown =>
  Object.fromEntries(
    [...model]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, row]) => [k, Object.fromEntries([...row].sort(([a], [b]) => (a < b ? -1 : 1)))]),
  );

// ---- changes ----------------------------------------------------------------------------------------------------------------

const key = fc.constantFrom('1', '2', '3');
const shape = fc.constantFrom(['k', 'x'], ['k', 'x', 'y'], ['k', 'y'], ['k']);
const change = fc
  .record({
    kind: fc.constantFrom<Change['kind'][]>('put', 'put', 'add', 'patch', 'patch', 'delete', 'move', 'truncate'),
    table: fc.constantFrom(A, A, A_BY_OTHER_KEY, B),
    key,
    oldKey: key,
    columns: shape,
    value: fc.integer({ min: 0, max: 99 }),
    incomplete: fc.boolean(),
  })
  .filter((c) => c.kind !== 'move' || c.key !== c.oldKey)
  .map(
    (c): Change => ({
      index: 0,
      kind: c.kind,
      table: c.table,
      id: c.key,
      key: [c.key],
      columns: c.columns,
      values: c.columns.map((name) => (name === 'k' ? c.key : `${name}${c.value}`)),
      oldKey: [c.oldKey],
      incomplete: c.kind === 'patch' || (c.kind === 'move' && c.incomplete),
      mayBeMissing: false,
    }),
  );

const initial = fc.dictionary(fc.constantFrom('a/1', 'a/2', 'b/1'), fc.constant(null)).map(
  (places): Model =>
    new Map(
      Object.keys(places).map((place) => [
        place,
        new Map<string, string | null>([
          ['k', place.slice(2)],
          ['x', 'old'],
          ['y', 'old'],
          ['own', 'mine'],
        ]),
      ]),
    ),
);
const copy = (model: Model): Model => new Map([...model].map(([k, row]) => [k, new Map(row)]));

function changeOf(kind: Change['kind'], id: string, row: { [column: string]: string }, more: Partial<Change> = {}): Change {
  return {
    index: 0,
    kind,
    table: A,
    id,
    key: [id],
    columns: Object.keys(row),
    values: Object.values(row),
    incomplete: kind === 'patch',
    mayBeMissing: false,
    ...more,
  };
}

describe('reduce', () => {
  it.each<PutMode>(['merge', 'replace'])('leaves what the changes leave one by one (%s)', (mode) => {
    fc.assert(
      fc.property(initial, fc.array(change, { maxLength: 12 }), (start, changes) => {
        const one = copy(start),
          reduced = copy(start);
        for (const c of changes) applyOne(one, c, mode);
        for (const segment of reduce(changes, mode)) applySegment(reduced, segment, mode);
        expect(plain(reduced)).toEqual(plain(one));
      }),
      { numRuns: 3000 },
    );
  });

  it('takes the last present value per column', () => {
    const segments = reduce(
      [
        changeOf('put', '1', { k: '1', x: 'a', y: 'a' }),
        changeOf('patch', '1', { k: '1', x: 'b' }),
        changeOf('patch', '1', { k: '1', y: 'c' }),
      ],
      'merge',
    );
    expect(segments).toMatchObject([
      { kind: 'rows', deletes: [], writes: [{ kind: 'put', columns: ['k', 'x', 'y'], values: ['1', 'b', 'c'] }] },
    ]);
  });

  it('makes a delete of a row that comes and goes', () => {
    const segments = reduce([changeOf('put', '1', { k: '1' }), changeOf('delete', '1', {})], 'merge');
    expect(segments).toMatchObject([{ deletes: [['1']], writes: [] }]);
  });

  it('deletes a row before it comes anew, so that the target starts from its defaults', () => {
    const segments = reduce([changeOf('delete', '1', {}), changeOf('put', '1', { k: '1', x: 'new' })], 'merge');
    expect(segments).toMatchObject([{ deletes: [['1']], writes: [{ kind: 'put', values: ['1', 'new'] }] }]);
  });

  it('is one segment per table between barriers, in the order of their first changes', () => {
    const b = { table: B };
    const changes = [
      changeOf('put', '1', { k: '1' }),
      changeOf('put', '1', { k: '1' }, b),
      changeOf('put', '2', { k: '2' }),
      changeOf('truncate', '', {}, b),
      changeOf('move', '3', { k: '3' }, { oldKey: ['1'] }),
      changeOf('put', '2', { k: '2' }, b),
      changeOf('put', '4', { k: '4' }),
    ];
    expect(reduce(changes, 'merge').map((s) => `${s.table.name} ${s.kind}`)).toEqual([
      'a rows',
      'b rows',
      'b truncate',
      'a move',
      'b rows',
      'a rows',
    ]);
  });

  it('keeps changes apart that find the rows of one table by different keys', () => {
    const other = { table: A_BY_OTHER_KEY };
    const segments = reduce(
      [changeOf('put', '1', { k: '1' }), changeOf('put', '1', { k: '1' }, other), changeOf('put', '1', { k: '1' })],
      'merge',
    );
    expect(segments.map((s) => s.table.name)).toEqual(['a', 'a by other key', 'a']);
  });

  it('lets a patch of a row deleted before it meet nothing', () => {
    const segments = reduce([changeOf('delete', '1', {}), changeOf('patch', '1', { k: '1', x: 'late' })], 'merge');
    expect(segments).toMatchObject([
      { deletes: [['1']], writes: [] },
      { deletes: [], writes: [{ kind: 'patch' }] },
    ]);
  });

  it('lets a patch be missing only when all of its events may be', () => {
    const patches = (...may: boolean[]): unknown =>
      reduce(
        may.map((mayBeMissing) => changeOf('patch', '1', { k: '1', x: 'a' }, { mayBeMissing })),
        'merge',
      );
    expect(patches(true, true)).toMatchObject([{ writes: [{ mayBeMissing: true }] }]);
    expect(patches(true, false)).toMatchObject([{ writes: [{ mayBeMissing: false }] }]);
  });
});
