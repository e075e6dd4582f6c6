// The source in mode `polling`: order, ties, settling, resume, queries, and what each kind of watermark asks of the database.

import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadPipelines } from '../../../../src/config/load.ts';
import type { ChangeEvent } from '../../../../src/sdk/index.ts';
import type { SqliteSourceConfig } from '../../../../src/sources/sqlite/config.ts';
import { descriptor } from '../../../../src/sources/sqlite/index.ts';
import { PollQuery } from '../../../../src/sources/sqlite/poll-query.ts';
import { type Db, DEFAULTS, eventsOf, NOTHING, Replica, rowsOf, type Stored, storedAfter, World } from './harness.ts';

let world: World;
let db: Db;
beforeEach(() => {
  world = new World();
  db = world.db();
});
afterEach(() => {
  world.close();
});

type Watermark = NonNullable<SqliteSourceConfig['watermark']>;
const polling = (watermark: Partial<Watermark> = {}, more: Partial<SqliteSourceConfig> = {}): Partial<SqliteSourceConfig> => ({
  cdc_mode: 'polling',
  watermark: { column: 'changed', type: 'integer', settle: 0, ...watermark },
  ...more,
});
const ids = (events: readonly ChangeEvent[]) => events.map((e) => Number(e.get('after', 'id')));
const at = (ms: number): string => new Date(ms).toISOString();

describe('polling', () => {
  it('reads rows in the order of watermark and key, as updates, and goes on behind them', async () => {
    db.exec(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, changed INTEGER); INSERT INTO t VALUES (1, NULL, 20), (2, NULL, 10), (3, NULL, 20), (4, NULL, NULL)',
    );
    const first = await world.run(NOTHING, { config: polling(), ctx: { maxBatchEvents: 2 } });
    expect(eventsOf(first.batches).map((e) => [e.op, e.partition, e.position, e.key, e.before])).toEqual([
      ['u', 't', '["i10","i2"]', { id: 2n }, null],
      ['u', 't', '["i20","i1"]', { id: 1n }, null],
      ['u', 't', '["i20","i3"]', { id: 3n }, null],
    ]);
    db.exec("UPDATE t SET v = 'x', changed = 30 WHERE id = 2; INSERT INTO t VALUES (5, NULL, 20)");
    const second = await world.run(first.stored, { config: polling() });
    expect(ids(eventsOf(second.batches))).toEqual([5, 2]);
    expect(eventsOf((await world.run(second.stored, { config: polling() })).batches)).toEqual([]);
    expect(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%cdc%'").pluck().get()).toBe(0);
  });

  it('resumes after any emitted position without skipping or repeating', async () => {
    const value = fc.oneof(
      fc.integer({ min: -3, max: 3 }).map(BigInt),
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.string({ maxLength: 2, unit: 'binary' }),
      fc.uint8Array({ maxLength: 2 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 30 }),
        fc.nat(),
        fc.integer({ min: 1, max: 7 }),
        async (values, n, maxBatchEvents) => {
          world.close();
          world = new World();
          db = world.db();
          db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, changed COLLATE NOCASE)');
          for (const v of values) db.prepare('INSERT INTO t (changed) VALUES (?)').run(v);
          const config = polling({ type: 'text' }),
            all = eventsOf((await world.run(NOTHING, { config })).batches);
          expect(all).toHaveLength(values.length);
          const index = n % all.length,
            from: Stored = { positions: { t: (all[index] as ChangeEvent).position }, snapshots: [] };
          const rest = eventsOf((await world.run(from, { config, ctx: { maxBatchEvents } })).batches);
          expect(ids(rest)).toEqual(ids(all.slice(index + 1)));
          const { positions: codec } = await world.source(config);
          for (const [i, e] of all.slice(1).entries()) expect(codec.compare((all[i] as ChangeEvent).position, e.position)).toBe(-1);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('ends up with the tables although rows change between the batches', async () => {
    db.exec(
      'CREATE TABLE a (id INTEGER PRIMARY KEY, v INTEGER, changed INTEGER); CREATE TABLE b (id TEXT NOT NULL PRIMARY KEY, changed INTEGER)',
    );
    for (let i = 1; i <= 20; i++) db.exec(`INSERT INTO a VALUES (${i}, 0, ${i}); INSERT INTO b VALUES ('b${i}', ${i})`);
    const events: ChangeEvent[] = [];
    let stored = NOTHING,
      tick = 20;
    for (let run = 0; run < 4; run++) {
      const source = await world.source(polling()),
        until = { partitions: await source.end(), snapshots: [] };
      for await (const batch of source.read(world.context(stored, until, { maxBatchEvents: 3 }), new AbortController().signal)) {
        events.push(...batch.events);
        stored = storedAfter(stored, batch);
        if (run < 3)
          db.exec(`UPDATE a SET v = v + 1, changed = ${++tick} WHERE id % 5 = ${tick % 5}; INSERT INTO b VALUES ('n${tick}', ${tick})`);
      }
      await source.close();
    }
    for (const table of ['a', 'b']) expect(new Replica().apply(events).rows(table)).toEqual(rowsOf(db, table));
  });

  it('keeps within the bytes of a batch', async () => {
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, changed INTEGER, v TEXT)');
    for (const [i, length] of [10, 3000, 10, 900, 900].entries())
      db.prepare('INSERT INTO t VALUES (?, ?, ?)').run(i, i, 'x'.repeat(length));
    expect((await world.run(NOTHING, { config: polling(), ctx: { maxBatchBytes: 2000 } })).batches.map((b) => b.events.length)).toEqual([
      1, 1, 2, 1,
    ]);
  });

  it('begins behind what is there with snapshot_mode never, and stops there with initial_only', async () => {
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, changed INTEGER); INSERT INTO t VALUES (1, 1), (2, 2)');
    const source = await world.source(polling({}, { snapshot_mode: 'never' })),
      abort = new AbortController(),
      seen: number[] = [];
    const steps = ['INSERT INTO t VALUES (3, 3)', ''];
    world.clock.onSleep = () => {
      const sql = steps.shift();
      if (sql === undefined) abort.abort();
      else db.exec(sql);
    };
    for await (const batch of source.read(world.context(NOTHING, null), abort.signal)) seen.push(...ids(batch.events));
    await source.close();
    expect(seen).toEqual([3]);
    const only = await world.source(polling({}, { snapshot_mode: 'initial_only' })),
      read: number[] = [];
    for await (const batch of only.read(world.context(NOTHING, null), new AbortController().signal)) read.push(...ids(batch.events));
    await only.close();
    expect(read).toEqual([1, 2, 3]);
  });

  it.each(['changed', 'id'])('uses the index of the watermark column %s', (column) => {
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, changed INTEGER); CREATE INDEX by_change ON t (changed)');
    const tuple = column === 'id' ? [1n] : [1n, 2n],
      asked: string[] = [],
      spy = Object.assign(Object.create(db) as Db, {
        prepare: (sql: string) => {
          asked.push(sql);
          return db.prepare(sql);
        },
      });
    const watermark = { column, type: 'integer', settle: 0 } as const,
      config = { ...DEFAULTS, path: '', ...polling({ column }) };
    const query = PollQuery.ofTable(spy, 't', 1, config, watermark, '');
    asked.length = 0;
    for (const after of [null, { tuple }]) for (const upTo of [null, tuple]) [...query.rows(after, upTo, 10)];
    query.newest(null, 0);
    expect(asked).toHaveLength(5);
    for (const sql of asked) {
      const plan = db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(
          ...sql
            .split('?')
            .slice(1)
            .map(() => 1),
        )
        .map((row) => (row as { detail: string }).detail)
        .join();
      if (!sql.includes('NOT NULL')) expect(plan, sql).toMatch(/^SEARCH .*(?:changed|rowid)>\?/);
      expect(plan, sql).not.toContain('TEMP B-TREE');
    }
  });

  it('takes the rowid for rows without a key, and named columns where they are named', async () => {
    db.exec('CREATE TABLE t (id INTEGER, part TEXT, changed INTEGER); INSERT INTO t VALUES (7, NULL, 1), (6, NULL, 1)');
    const [plain, named] = [
      await world.run(NOTHING, { config: polling() }),
      await world.run(NOTHING, { config: polling({ key: ['id'] }) }),
    ];
    expect(eventsOf(plain.batches).map((e) => [e.position, e.key])).toEqual([
      ['["i1","i1"]', null],
      ['["i1","i2"]', null],
    ]);
    expect(eventsOf(named.batches).map((e) => [e.position, e.key])).toEqual([
      ['["i1","i6"]', { id: 6n }],
      ['["i1","i7"]', { id: 7n }],
    ]);
  });

  it('sends new columns from the next look on, under a new version', async () => {
    db.exec(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, changed INTEGER); CREATE TABLE o (id INTEGER PRIMARY KEY, changed INTEGER); INSERT INTO t VALUES (1, 1)',
    );
    const source = await world.source(polling()),
      abort = new AbortController(),
      seen: unknown[] = [];
    const steps = ['ALTER TABLE t ADD COLUMN v', "INSERT INTO t VALUES (2, 2, 'x')", 'INSERT INTO o VALUES (1, 1)', ''];
    world.clock.onSleep = () => {
      const sql = steps.shift();
      if (sql === undefined) abort.abort();
      else db.exec(sql);
    };
    for await (const batch of source.read(world.context(NOTHING, null), abort.signal))
      seen.push(...batch.events.map((e) => [e.table.id.table, e.table.version, e.columns('after').length]));
    await source.close();
    expect(seen).toEqual([
      ['t', 1, 2],
      ['t', 2, 3],
      ['o', 1, 2],
    ]);
  });
});

describe('settling', () => {
  it('holds a timestamp back, and all rows behind it, until it is old enough', async () => {
    const now = world.clock.ms;
    db.exec(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, changed TEXT); INSERT INTO t VALUES (1, '${at(now - 60_000)}'), (2, '${at(now - 2000)}'), (3, '${at(now - 1000)}')`,
    );
    const source = await world.source(polling({ type: 'timestamp', settle: 5000 })),
      abort = new AbortController(),
      seen: number[][] = [];
    world.clock.onSleep = () => {
      const age = world.clock.ms - now;
      // Committed late, in front of rows that wait: read in its place.
      if (age === 200) db.exec(`INSERT INTO t VALUES (4, '${at(now - 1500)}')`);
      if (age > 4200) abort.abort();
    };
    for await (const batch of source.read(world.context(NOTHING, null), abort.signal))
      seen.push([world.clock.ms - now, ...ids(batch.events)]);
    await source.close();
    expect(seen).toEqual([
      [0, 1],
      [3000, 2],
      [3600, 4],
      [4000, 3],
    ]);
  });

  it('holds other watermarks back for as long after they were seen first', async () => {
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, changed INTEGER); INSERT INTO t VALUES (1, 10)');
    const start = world.clock.ms,
      source = await world.source(polling({ settle: 1000 })),
      abort = new AbortController(),
      seen: number[][] = [];
    world.clock.onSleep = () => {
      const age = world.clock.ms - start;
      if (age === 400) db.exec('INSERT INTO t VALUES (2, 20), (3, 15)');
      if (age === 800) db.exec('INSERT INTO t VALUES (4, 12)');
      if (age > 1600) abort.abort();
    };
    for await (const batch of source.read(world.context(NOTHING, null), abort.signal))
      seen.push([world.clock.ms - start, ...ids(batch.events)]);
    await source.close();
    expect(seen).toEqual([
      [1000, 1],
      [1400, 4, 3, 2],
    ]);
  });

  it.each(['timestamp', 'integer'] as const)(
    'lets a one_time run wait for its last rows, but not for those from the future (%s)',
    async (type) => {
      const now = world.clock.ms,
        value = (ms: number): string => (type === 'timestamp' ? `'${at(ms)}'` : String(ms));
      db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, changed); INSERT INTO t VALUES (1, ${value(now - 60_000)}), (2, ${value(now)})`);
      if (type === 'timestamp') db.exec(`INSERT INTO t VALUES (3, ${value(now + 10 ** 9)})`);
      const { batches } = await world.run(NOTHING, { config: polling({ type, settle: 5000 }) });
      expect(ids(eventsOf(batches))).toEqual([1, 2]);
      expect(world.clock.ms - now).toBe(5000);
    },
  );

  it('reads all forms of time that SQLite knows, and sends a row whose time it cannot read to the dead letters', async () => {
    db.exec(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, changed TEXT); INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-01 10:00'), (3, '2024-01-01T10:00:00.123Z'), (4, '2024-01-02 10:00:00+02:00'), (5, 'soon')",
    );
    const { batches } = await world.run(NOTHING, { config: polling({ type: 'timestamp', settle: 5000 }), ctx: {} });
    expect(eventsOf(batches).map((e) => at(e.sourceTsMs))).toEqual([
      '2024-01-01T00:00:00.000Z',
      '2024-01-01T10:00:00.000Z',
      '2024-01-01T10:00:00.123Z',
      '2024-01-02T08:00:00.000Z',
    ]);
    db.exec("INSERT INTO t VALUES (6, 'zoom')");
    const source = await world.source(polling({ type: 'timestamp' })),
      abort = new AbortController();
    world.clock.onSleep = () => {
      abort.abort();
    };
    for await (const _ of source.read(world.context(NOTHING, null), abort.signal));
    await source.close();
    expect(world.rejects.map((r) => [r.at, r.error])).toMatchObject([
      ['t, watermark soon, key 5', { code: 'SOURCE_DATA_INVALID' }],
      ['t, watermark zoom, key 6', { code: 'SOURCE_DATA_INVALID' }],
    ]);
  });
});

describe('a query', () => {
  const QUERY =
    'SELECT o.id, o.total, c.name, o.changed FROM orders AS o JOIN customers AS c ON c.id = o.customer WHERE o.changed > :last_sync ORDER BY o.changed;';
  const config = polling({ key: ['id'] }, { query: QUERY, tables: ['orders'] });
  beforeEach(() => {
    db.exec(
      "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, total REAL, changed INTEGER); INSERT INTO customers VALUES (1, 'Ada'); INSERT INTO orders VALUES (1, 1, 1.5, 10), (2, 1, 2, 20), (3, 1, 3, 20), (4, 1, 4, 20), (5, 1, 5, 30)",
    );
  });

  it('gets the last watermark, and rows that share it are not lost between batches', async () => {
    const first = await world.run(NOTHING, { config, ctx: { maxBatchEvents: 2 } });
    expect(ids(eventsOf(first.batches))).toEqual([1, 2, 3, 4, 5]);
    expect(eventsOf(first.batches)[0]).toMatchObject({
      op: 'u',
      key: { id: 1n },
      after: { id: 1n, total: 1.5, name: 'Ada', changed: 10n },
    });
    expect(eventsOf(first.batches)[0]?.table).toMatchObject({ id: { table: 'orders' }, key: ['id'] });
    for (const e of eventsOf(first.batches)) {
      const rest = await world.run({ positions: { orders: e.position }, snapshots: [] }, { config });
      expect(ids(eventsOf(rest.batches))).toEqual([1, 2, 3, 4, 5].filter((id) => id > Number(e.get('after', 'id'))));
    }
    db.exec('INSERT INTO orders VALUES (6, 1, 6, 30)');
    expect(ids(eventsOf((await world.run(first.stored, { config })).batches))).toEqual([6]);
  });

  it('may do without it', async () => {
    const { batches, stored } = await world.run(NOTHING, {
      config: polling({ key: ['id'] }, { query: 'SELECT * FROM orders', tables: ['all_orders'] }),
    });
    expect(ids(eventsOf(batches))).toEqual([1, 2, 3, 4, 5]);
    expect(stored.positions).toEqual({ all_orders: '["i30","i5"]' });
  });

  it('that lacks the watermark is refused', async () => {
    await expect(world.run(NOTHING, { config: { ...config, query: 'SELECT id FROM orders' } })).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
    });
  });
});

describe('the configuration', () => {
  it.each<[string, Partial<SqliteSourceConfig>, string[]]>([
    ['polling without a watermark', { cdc_mode: 'polling' }, ['polling needs a watermark']],
    [
      'triggers with what belongs to polling',
      { watermark: { column: 'c', type: 'integer', settle: 0 }, query: 'SELECT 1' },
      ['a watermark is for', 'a query is for'],
    ],
    [
      'a query for all tables, without a key',
      { cdc_mode: 'polling', watermark: { column: 'c', type: 'integer', settle: 0 }, query: 'SELECT 1' },
      ['holds the one name', 'must be named'],
    ],
    ['a path that is no file', { path: ':memory:' }, ['not the path of a file']],
  ])('refuses %s', (_, config, expected) => {
    const problems = descriptor.validate?.({ ...DEFAULTS, path: 'x.db', ...config }) ?? [];
    expect(problems).toHaveLength(expected.length);
    for (const [i, message] of expected.entries()) expect(problems[i]?.message).toContain(message);
  });

  it('has its defaults in the units that it means', async () => {
    const file = `${world.folder}/pipeline.yaml`;
    writeFileSync(
      file,
      'name: p\nsource: {type: sqlite, path: shop.db, cdc_mode: polling, watermark: {column: changed}}\ndestination: {type: console}\n',
    );
    const { pipelines, problems } = await loadPipelines([file], { set: [], env: {} });
    expect(problems).toEqual([]);
    expect(pipelines[0]?.sources[0]?.config).toMatchObject({
      ...DEFAULTS,
      cdc_mode: 'polling',
      busy_timeout: 10_000,
      watermark: { column: 'changed', type: 'timestamp', settle: 5000 },
    });
  });

  it('tells what each mode can and cannot do', () => {
    const trigger = descriptor.capabilities({ ...DEFAULTS, path: 'x.db' }),
      poll = descriptor.capabilities({ ...DEFAULTS, path: 'x.db', ...polling({ settle: 5000 }) });
    expect(trigger).toMatchObject({ deletes: true, beforeImage: true, snapshot: true, schemaChanges: true });
    expect(trigger.creates.join()).toContain('five triggers');
    expect(poll).toMatchObject({ deletes: false, beforeImage: false, creates: [] });
    expect(poll.risks.join()).toContain('more than 5 s (watermark.settle) after its changed was set');
  });
});
