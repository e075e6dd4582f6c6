import { describe, expect, it } from 'vitest';
import type { SnapshotProgress } from '../../../src/sdk/index.ts';
import { SnapshotEngine } from '../../../src/snapshot/engine.ts';
import { chunkRows } from '../../../src/snapshot/rows.ts';
import type { ChunkRead, PassJob, RangeJob, SnapshotJob, SnapshotOptions, SnapshotOutput } from '../../../src/snapshot/types.ts';
import { parseXidSnapshot, type XidSnapshot, xidVisibility } from '../../../src/sources/postgresql/xids.ts';

type Engine = SnapshotEngine<string, number, XidSnapshot, number>;
const SEEN = parseXidSnapshot('100:100:');

function engineOf(o: Partial<SnapshotOptions<string, number, XidSnapshot, number>> = {}): Engine {
  return new SnapshotEngine<string, number, XidSnapshot, number>({
    source: 'db',
    tables: [{ name: 'a', keyed: true, orderedByIdentity: true }],
    resume: [],
    boundaries: [],
    at: 16n,
    repeatsUntil: 0n,
    visibility: xidVisibility,
    merge: (row, parts) => [row, ...parts].join('+'),
    random: () => 0.5,
    ...o,
    limits: { flightsPerTable: 1, ...o.limits },
  });
}

/** The next job, once the bound is known. */
function jobOf<Kind extends SnapshotJob['kind']>(engine: Engine, kind: Kind): SnapshotJob & { kind: Kind } {
  for (let job = engine.nextJob(); job !== null; job = engine.nextJob()) {
    if (job.kind === kind) return job as SnapshotJob & { kind: Kind };
    if (job.kind === 'bound') engine.onBound(job, 50);
  }
  throw new Error(`no job of kind ${kind}`);
}
function read(keys: readonly string[], more: Partial<ChunkRead<string, XidSnapshot>> = {}): ChunkRead<string, XidSnapshot> {
  const rows = chunkRows(keys.map((key) => ({ key, place: `["${key}"]`, row: `row ${key}`, bytes: 10 })));
  return {
    seen: SEEN,
    fingerprint: 'f',
    h: 0n,
    rows,
    bytes: 10 * keys.length,
    end: false,
    ...more,
  };
}
function outputs(engine: Engine): SnapshotOutput<string>[] {
  const out = [];
  for (let due = engine.due(); due?.kind === 'output'; due = engine.due()) out.push(due);
  return out;
}
const progressOf = (out: readonly SnapshotOutput<string>[]): SnapshotProgress[] => out.flatMap((o) => o.progress);
const at = (chunk: number, lastKey: string | null, notes = '{"file":"f","joining":true}'): SnapshotProgress => ({
  source: 'db',
  run: '5.ab',
  table: 'a',
  chunk,
  lastKey,
  state: 'running',
  rows: 0,
  notes,
});

describe('chunks', () => {
  it('begin a run with progress of chunk 0, and end it with the last rows', () => {
    const engine = engineOf();
    expect(outputs(engine)).toMatchObject([{ progress: [{ run: '10.80000000', chunk: 0, joining: true, state: 'running' }], chunk: null }]);
    engine.onRead(jobOf(engine, 'range'), read(['1', '2']));
    expect(outputs(engine)).toMatchObject([
      { rows: ['row 1', 'row 2'], progress: [{ chunk: 1000, lastKey: '["2"]', rows: 2 }], chunk: { isFirst: true, isLast: false } },
    ]);
    const rest = jobOf(engine, 'range');
    expect(rest.after).toBe('["2"]');
    engine.onRead(rest, read([], { end: true }));
    expect(progressOf(outputs(engine))).toMatchObject([{ chunk: 2000, lastKey: '["2"]', state: 'done' }]);
    expect(engine.isDone).toBe(true);
  });

  it('wait for the end of the log that was there after the read', () => {
    const engine = engineOf();
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1'], { h: 40n }));
    engine.reached(39n);
    expect(outputs(engine)).toEqual([]);
    engine.reached(40n);
    expect(outputs(engine)).toHaveLength(1);
  });

  it('come between two transactions only', () => {
    const engine = engineOf();
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1']));
    engine.begin(60);
    expect(engine.due()).toBeNull();
    engine.commit(20n);
    expect(outputs(engine)).toHaveLength(1);
  });

  it('keep rows that only a transaction without an end has touched, and wait for no end of it', () => {
    const engine = engineOf();
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1', '2', '3']));
    engine.begin(200);
    engine.update('a', '1', '1', true);
    engine.delete('a', '2');
    engine.abort();
    engine.begin(201);
    engine.delete('a', '3');
    engine.commit(20n);
    expect(outputs(engine)).toMatchObject([{ rows: ['row 1', 'row 2'] }]);
    engine.begin(202);
    engine.abort();
    expect(jobOf(engine, 'range').after).toBe('["3"]');
  });

  it('do not count if they miss what was streamed before', () => {
    const engine = engineOf();
    outputs(engine);
    const job = jobOf(engine, 'range'),
      blind = parseXidSnapshot('40:100:40');
    expect(engine.accepts(job, blind)).toBe(false);
    engine.onRead(job, read(['1'], { seen: blind }));
    expect(outputs(engine)).toEqual([]);
    expect(engine.nextJob()).toMatchObject({ kind: 'range', attempt: 1 });
    expect(engine.status()).toMatchObject([{ waitsFor: 'rows' }]);
  });

  it('are read again, smaller, when too much is written meanwhile', () => {
    const engine = engineOf({ limits: { windowBytes: 1_000, chunkRows: 100 } });
    outputs(engine);
    const job = jobOf(engine, 'range');
    engine.begin(60);
    for (let i = 0; i < 10; i++) engine.insert('a', `k${i}`);
    engine.commit(20n);
    engine.onRead(job, read(['1']));
    expect(outputs(engine)).toEqual([]);
    expect(jobOf(engine, 'range').maxRows).toBe(50);
  });

  it('are bounded in bytes by the width of the rows seen', () => {
    const engine = engineOf({ limits: { chunkBytes: 1_000, chunkRows: 100 } });
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1', '2'], { bytes: 200 }));
    outputs(engine);
    expect(jobOf(engine, 'range').maxRows).toBe(10);
  });

  it('go out in batches, each stored with the last key of its own', () => {
    const engine = engineOf({ limits: { batchRows: 2, batchBytes: 25 } });
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1', '2', '3', '4', '5'], { end: true }));
    expect(outputs(engine).map(({ rows, bytes, progress: [p] }) => [rows, bytes, p?.chunk, p?.lastKey, p?.rows, p?.state])).toEqual([
      [['row 1', 'row 2'], 20, 1000, '["2"]', 2, 'running'],
      [['row 3', 'row 4'], 20, 2000, '["4"]', 4, 'running'],
      [['row 5'], 10, 3000, '["5"]', 5, 'done'],
    ]);
  });

  it('are read again from the last batch that is out, when what was written meanwhile was too much', () => {
    const engine = engineOf({ limits: { batchRows: 2, windowBytes: 1_000 } });
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1', '2', '3', '4', '5'], { end: true }));
    expect(engine.due()).toMatchObject({ rows: ['row 1', 'row 2'] });
    engine.begin(200);
    for (let i = 0; i < 10; i++) engine.insert('a', `new ${i}`);
    engine.commit(32n);
    expect(outputs(engine)).toEqual([]);
    expect([jobOf(engine, 'range'), jobOf(engine, 'range')]).toMatchObject([
      { after: '["2"]', upTo: '["4"]' },
      { after: '["4"]', upTo: null },
    ]);
  });

  it('are looked for only when one may be due', () => {
    const engine = engineOf();
    outputs(engine);
    const job = jobOf(engine, 'range');
    expect(engine.due()).toBeNull();
    expect(engine.hasDue).toBe(false);
    engine.onRead(job, read(['1'], { h: 48n }));
    expect([engine.hasDue, outputs(engine), engine.hasDue]).toEqual([true, [], false]);
    engine.reached(40n);
    expect(engine.hasDue).toBe(false);
    engine.reached(48n);
    expect([engine.hasDue, outputs(engine).length, engine.hasDue]).toEqual([true, 1, false]);
  });

  it('go out in key order though they are read side by side', () => {
    const engine = engineOf({ limits: { flightsPerTable: 2 } });
    outputs(engine);
    engine.onSplit(jobOf(engine, 'split'), ['["5"]']);
    // The next cuts are asked for before these run out.
    const more = jobOf(engine, 'split'),
      first = jobOf(engine, 'range');
    expect(more.after).toBe('["5"]');
    engine.onSplit(more, []);
    const second = jobOf(engine, 'range');
    expect([first.after, first.upTo, second.after, second.upTo]).toEqual([null, '["5"]', '["5"]', null]);
    engine.onRead(second, read(['6'], { end: true }));
    expect(outputs(engine)).toEqual([]);
    engine.onRead(first, read(['4'], { end: true }));
    expect(outputs(engine).map((o) => [o.rows, o.progress[0]?.lastKey])).toEqual([
      [['row 4'], '["5"]'],
      [['row 6'], '["6"]'],
    ]);
  });

  it('begin again when the table was rewritten', () => {
    const engine = engineOf();
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1']));
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read([], { fingerprint: 'g', end: true }));
    expect(progressOf(outputs(engine))).toMatchObject([{ chunk: 0, lastKey: null, joining: true }]);
    expect(jobOf(engine, 'range').after).toBeNull();
  });
});

describe('several tables', () => {
  const tables = ['a', 'b'].map((name) => ({ name, keyed: true, orderedByIdentity: true }));

  it('begin in their order, whichever was read first', () => {
    const engine = engineOf({ tables });
    outputs(engine);
    const a = jobOf(engine, 'range'),
      b = jobOf(engine, 'range');
    expect([a.table, b.table]).toEqual(['a', 'b']);
    engine.onRead(b, read(['1'], { end: true }));
    expect(outputs(engine)).toEqual([]);
    engine.onRead(a, read(['1'], { end: true }));
    expect(outputs(engine).map(({ chunk }) => chunk?.table)).toEqual(['a', 'b']);
  });

  it('go on without one that could not be read', () => {
    const engine = engineOf({ tables });
    outputs(engine);
    const locked = jobOf(engine, 'range');
    engine.onRead(jobOf(engine, 'range'), read(['1'], { end: true }));
    engine.onLost(locked);
    expect(outputs(engine).map(({ chunk }) => chunk?.table)).toEqual(['b']);
    const again = jobOf(engine, 'range');
    expect(again.table).toBe('a');
    engine.request(['b']);
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1'], { end: true }));
    expect(
      outputs(engine).map(({ chunk }) => chunk?.table),
      'while it is tried again',
    ).toEqual(['b']);
  });
});

describe('keys read once more', () => {
  it('are stored before the event that needs them, and read when the ranges are out', () => {
    const engine = engineOf();
    outputs(engine);
    engine.onRead(jobOf(engine, 'range'), read(['1'], { end: true, h: 30n }));
    engine.begin(200);
    engine.update('a', '9', '3', false);
    expect(engine.takeProgress()).toMatchObject([{ chunk: 1000, notes: '{"file":"f","list":["3"],"joining":true}' }]);
    engine.commit(30n);
    expect(progressOf(outputs(engine))).toMatchObject([{ chunk: 2000, state: 'running' }]);
    const job = jobOf(engine, 'keys');
    expect(job.keys).toEqual(['3']);
    engine.begin(201);
    engine.update('a', '3', '3', false, 'newer');
    engine.commit(31n);
    engine.onRead(job, read(['3'], { seen: parseXidSnapshot('201:201:') }));
    expect(outputs(engine)).toMatchObject([{ rows: ['row 3+newer'], progress: [{ chunk: 3000, state: 'done' }] }]);
  });

  it('open a finished table again while a destination may see events twice', () => {
    const done = { ...at(9, null), state: 'done' as const };
    const engine = engineOf({ resume: [done], repeatsUntil: 100n });
    expect(engine.records('a')).toBe(true);
    engine.begin(60);
    engine.update('a', '1', '2', false);
    expect(engine.takeProgress()).toMatchObject([{ run: '10+80000000', chunk: 0, state: 'running' }]);
    engine.commit(20n);
    expect(jobOf(engine, 'keys').keys).toEqual(['2']);
  });
});

describe('boundaries', () => {
  it('give the chunk that reaches one its number and key, with room in between', () => {
    const engine = engineOf({ resume: [at(1000, '["1"]')], boundaries: [at(2000, '["5"]', '{"file":"f","list":["2"],"joining":true}')] });
    const job = jobOf(engine, 'range');
    expect(job).toMatchObject({ after: '["1"]', upTo: '["5"]' });
    engine.onRead(job, read(['2', '3']));
    expect(progressOf(outputs(engine))).toMatchObject([{ chunk: 1001, lastKey: '["3"]' }]);
    engine.onRead(jobOf(engine, 'range'), read(['4'], { end: true }));
    expect(progressOf(outputs(engine))).toMatchObject([
      { chunk: 2000, lastKey: '["5"]', notes: '{"file":"f","list":["2"],"joining":true}' },
    ]);
    expect(jobOf(engine, 'range')).toMatchObject({ after: '["5"]', upTo: null });
  });

  it('let the last chunk before one take all rows up to it', () => {
    const engine = engineOf({ resume: [at(1999, '["1"]')], boundaries: [at(2000, '["5"]')] });
    expect(jobOf(engine, 'range')).toMatchObject({ upTo: '["5"]', maxRows: Number.POSITIVE_INFINITY });
  });

  it('get a further number when the lists differ', () => {
    const engine = engineOf({ resume: [at(1000, '["5"]', '{"file":"f","list":["1"]}')], boundaries: [at(2000, '["5"]', '{"file":"f"}')] });
    expect(progressOf(outputs(engine)).map((p) => p.chunk)).toEqual([2000, 2001]);
  });

  it('are given up for a run of its own when a row may have jumped', () => {
    const engine = engineOf({ resume: [at(1000, '["1"]')], boundaries: [at(2000, '["5"]')] });
    engine.begin(60);
    engine.update('a', '9', '3', false);
    expect(engine.takeProgress()).toMatchObject([{ run: '10+80000000', chunk: 0, lastKey: '["1"]' }]);
    engine.commit(20n);
    expect(jobOf(engine, 'range').upTo).toBeNull();
  });

  it('are joined by a lane that begins at the place where their run began', () => {
    const engine = engineOf({ at: 5n, boundaries: [at(2000, '["5"]')] });
    expect(progressOf(outputs(engine))).toMatchObject([{ run: '5.ab', chunk: 0, joining: true }]);
    expect(jobOf(engine, 'range').upTo).toBe('["5"]');
  });
});

describe('operations', () => {
  const two = [
    { name: 'a', keyed: true, orderedByIdentity: true },
    { name: 'b', keyed: true, orderedByIdentity: true },
  ];

  it('go on with other tables when one has failed', () => {
    const engine = engineOf({ tables: two });
    outputs(engine);
    engine.onFailed(jobOf(engine, 'range') as RangeJob, new Error('permission denied'));
    expect(progressOf(outputs(engine))).toMatchObject([{ table: 'a', state: 'failed' }]);
    expect(engine.status()[0]).toMatchObject({ state: 'failed', error: 'permission denied' });
    expect(jobOf(engine, 'range').table).toBe('b');
  });

  it('skip, pause and unpause a table', () => {
    const engine = engineOf({ tables: two });
    outputs(engine);
    engine.skip('a');
    engine.pause('b');
    expect(progressOf(outputs(engine))).toMatchObject([{ table: 'a', state: 'skipped' }]);
    expect(engine.nextJob()).toBeNull();
    engine.unpause('b');
    expect(jobOf(engine, 'range').table).toBe('b');
  });

  it('begin a run of rows that match, for all lanes, but not over an unfinished one', () => {
    const engine = engineOf({ tables: two, resume: [{ ...at(9, null), state: 'done' }] });
    outputs(engine);
    expect([...engine.request(['a', 'b', 'c'], 'id > 5')]).toEqual([
      ['a', 'begun'],
      ['b', 'unfinished'],
      ['c', 'no_such_table'],
    ]);
    const [progress] = progressOf(outputs(engine));
    expect(progress).toMatchObject({ table: 'a', chunk: 0, run: '10+80000000' });
    expect(progress?.joining).toBeUndefined();
    expect(jobOf(engine, 'range').where).toBe('id > 5');
    expect([...engine.request(['a'], 'id < 3')], 'rows that somebody else asked for').toEqual([['a', 'unfinished']]);
    expect([...engine.request(['a'], 'id > 5')], 'the same once more').toEqual([['a', 'begun']]);
  });
});

describe('a table without a key', () => {
  const tables = [{ name: 'a', keyed: false, orderedByIdentity: false }];
  const opened = (engine: Engine): PassJob => {
    const job = jobOf(engine, 'pass');
    expect(engine.onOpened(job, { seen: SEEN, h: 30n })).toBe(true);
    return job;
  };

  it('goes out whole at one place of the stream', () => {
    const engine = engineOf({ tables });
    outputs(engine);
    const job = opened(engine);
    expect(engine.due()).toBeNull();
    engine.reached(30n);
    expect(engine.due()).toEqual({ kind: 'pass', job });
    expect(() => engine.begin(200)).toThrow(/whole-table pass/);
    expect(engine.passRows(job, 'a', ['x', 'y'], 10, false)).toMatchObject({
      rows: ['x', 'y'],
      progress: [{ chunk: 1000, state: 'running' }],
    });
    expect(engine.passRows(job, 'a', ['z'], 5, true)).toMatchObject({ progress: [{ chunk: 2000, state: 'done', rows: 3 }] });
    engine.begin(200);
    expect(engine.isDone).toBe(true);
  });

  it('is read anew when something newer was streamed before its place', () => {
    const engine = engineOf({ tables });
    outputs(engine);
    const job = opened(engine);
    engine.begin(100);
    engine.insert('a', null);
    engine.commit(30n);
    expect(engine.due()).toEqual({ kind: 'drop_pass', job });
    expect(engine.passRows(job, 'a', ['x'], 1, true)).toBeNull();
    expect(jobOf(engine, 'pass').attempt).toBe(1);
  });

  it('is not resumed', () => {
    const engine = engineOf({ tables, resume: [at(3000, null)] });
    expect(progressOf(outputs(engine))).toMatchObject([{ chunk: 0, run: '10.80000000', joining: true }]);
  });
});
