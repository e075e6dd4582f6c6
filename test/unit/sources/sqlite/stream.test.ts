// The source in mode `trigger` on a real database: snapshot, stream, what it is registered as, what it keeps and deletes.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeBatch, ChangeEvent, Source } from '../../../../src/sdk/index.ts';
import { type Db, eventsOf, NOTHING, Replica, rowsOf, type Stored, storedAfter, World } from './harness.ts';

let world: World;
let db: Db;
beforeEach(() => {
  world = new World();
  db = world.db();
  db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL)');
});
afterEach(() => {
  world.close();
});

const fill = (from: number, to: number): void => {
  const insert = db.prepare('INSERT INTO items VALUES (?, ?, ?)');
  db.transaction(() => {
    for (let id = from; id <= to; id++) insert.run(id, `item ${id}`, id / 2);
  })();
};
const brief = (e: ChangeEvent) => [e.op, e.before, e.after];
const changesKept = (): number => db.prepare('SELECT count(*) FROM _cdc_run_changes').pluck().get() as number;

describe('a first run', () => {
  it('reads the rows that are there; the next ones read changes', async () => {
    db.exec("INSERT INTO items VALUES (1, 'a', 1.5), (2, 'b', NULL)");
    const first = await world.run();
    expect(eventsOf(first.batches).map(brief)).toEqual([
      ['r', null, { id: 1n, name: 'a', price: 1.5 }],
      ['r', null, { id: 2n, name: 'b', price: null }],
    ]);
    db.exec(
      "UPDATE items SET price = 2 WHERE id = 1; DELETE FROM items WHERE id = 2; INSERT INTO items VALUES (3, 'c', 3); UPDATE items SET id = 4 WHERE id = 3",
    );
    const second = await world.run(first.stored);
    expect(eventsOf(second.batches).map(brief)).toEqual([
      ['u', { id: 1n, name: 'a', price: 1.5 }, { id: 1n, name: 'a', price: 2 }],
      ['d', { id: 2n, name: 'b', price: null }, null],
      ['c', null, { id: 3n, name: 'c', price: 3 }],
      ['u', { id: 3n, name: 'c', price: 3 }, { id: 4n, name: 'c', price: 3 }],
    ]);
    expect(eventsOf(second.batches).at(-1)?.oldKey).toEqual({ id: 3n });
    expect(eventsOf((await world.run(second.stored)).batches)).toEqual([]);
  });

  it('cuts a table into chunks that have their own numbers, marks and progress', async () => {
    fill(1, 5);
    db.exec('CREATE TABLE others (id INTEGER PRIMARY KEY); INSERT INTO others VALUES (7)');
    const { batches } = await world.run(NOTHING, { ctx: { maxBatchEvents: 2 } });
    const marks = eventsOf(batches).map((e) => e.snapshot && [e.snapshot.table, e.snapshot.chunk, e.snapshot.place]);
    expect(marks).toEqual([
      ['items', 1, 'first'],
      ['items', 1, 'true'],
      ['items', 2, 'true'],
      ['items', 2, 'true'],
      ['items', 3, 'last_in_data_collection'],
      ['others', 1, 'last'],
    ]);
    const progress = batches.flatMap((b) => b.snapshots ?? []).map((s) => [s.table, s.chunk, s.lastKey, s.state, s.rows]);
    expect(progress).toEqual([
      ['items', 0, null, 'running', 0],
      ['others', 0, null, 'running', 0],
      ['items', 1, '["i2"]', 'running', 2],
      ['items', 2, '["i4"]', 'running', 4],
      ['items', 3, '["i5"]', 'done', 5],
      ['others', 1, '["i7"]', 'done', 1],
    ]);
    const ids = eventsOf(batches).map((e) => e.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('keeps within the bytes of a batch, but sends a row that is larger alone', async () => {
    const insert = db.prepare('INSERT INTO items VALUES (?, ?, 0)');
    for (const [i, length] of [10, 3000, 10, 900, 900].entries()) insert.run(i, 'x'.repeat(length));
    const { batches, stored } = await world.run(NOTHING, { ctx: { maxBatchBytes: 2000 } });
    expect(batches.map((b) => b.events.length)).toEqual([0, 1, 1, 2, 1]);
    db.exec('UPDATE items SET price = 1');
    const next = await world.run(stored, { ctx: { maxBatchBytes: 2000 } });
    expect(next.batches.map((b) => b.events.length)).toEqual([1, 1, 1, 1, 1]);
  });

  it('ends a one_time run complete and consistent although the application goes on writing', async () => {
    fill(1, 20);
    const source = await world.source(),
      until = { partitions: await source.end(), snapshots: [] },
      events: ChangeEvent[] = [];
    let n = 0;
    for await (const batch of source.read(world.context(NOTHING, until, { maxBatchEvents: 3 }), new AbortController().signal)) {
      events.push(...batch.events);
      if (++n < 12)
        db.exec(
          `UPDATE items SET price = price + 100 WHERE id IN (${n}, ${21 - n}); DELETE FROM items WHERE id = ${n + 5}; INSERT INTO items VALUES (${n + 100}, 'new', 0)`,
        );
    }
    await source.close();
    expect(new Replica().apply(events).rows('items')).toEqual(rowsOf(db, 'items'));
  });

  it.each([
    ['never', ['c'], ['c']],
    ['initial', ['r', 'c'], ['c']],
    ['when_needed', ['r', 'c'], ['c']],
    ['initial_only', ['r'], []],
  ] as const)('with snapshot_mode %s reads %j, then %j', async (snapshot_mode, first, second) => {
    fill(1, 1);
    const source = await world.source({ snapshot_mode }),
      ops: string[] = [];
    let stored: Stored = NOTHING;
    const abort = new AbortController();
    world.clock.onSleep = () => {
      abort.abort();
    };
    for await (const batch of source.read(world.context(NOTHING, null), abort.signal)) {
      stored = storedAfter(stored, batch);
      ops.push(...batch.events.map((e) => e.op));
      if (ops.length === (snapshot_mode === 'never' ? 0 : 1)) fill(2, 2);
    }
    await source.close();
    expect(ops).toEqual(first);
    world.clock.onSleep = () => {};
    fill(3, 3);
    const next = await world.run(stored, { config: { snapshot_mode } });
    expect(
      eventsOf(next.batches)
        .map((e) => e.op)
        .filter((op) => op !== 'r'),
    ).toEqual(second);
  });

  it('says what it lacks when no table matches', async () => {
    await expect(world.run(NOTHING, { config: { tables: ['nothing'] } })).rejects.toMatchObject({ code: 'SOURCE_MISCONFIGURED' });
    expect(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_cdc%' ESCAPE '\\'").pluck().get()).toBe(0);
  });

  it('says that there is no database', async () => {
    await expect(world.run(NOTHING, { config: { path: `${world.path}.none` } })).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      retriable: true,
    });
  });

  it('does without installing when it may not', async () => {
    await expect(world.run(NOTHING, { config: { install_triggers: false } })).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
      fix: expect.stringContaining('install_triggers'),
    });
    const { stored } = await world.run();
    fill(1, 2);
    expect(eventsOf((await world.run(stored, { config: { install_triggers: false } })).batches)).toHaveLength(2);
    db.exec('ALTER TABLE items ADD COLUMN extra');
    await expect(world.run(stored, { config: { install_triggers: false } })).rejects.toMatchObject({ code: 'SOURCE_MISCONFIGURED' });
  });
});

describe('names', () => {
  it('may hold quotes, spaces, wildcards, keywords and any letter', async () => {
    const name = 'we"ird \'ta[b]le* ünïcode 😀',
      sql = `"${name.replaceAll('"', '""')}"`;
    db.exec(
      `CREATE TABLE ${sql} ("select ""x""" INTEGER PRIMARY KEY, "it's" TEXT, "日本" TEXT UNIQUE); INSERT INTO ${sql} VALUES (1, 'a', 'b')`,
    );
    const first = await world.run(NOTHING, { config: { tables: [name] } });
    db.exec(`REPLACE INTO ${sql} VALUES (2, 'c', 'b')`);
    const second = await world.run(first.stored, { config: { tables: [name] } });
    expect(eventsOf([...first.batches, ...second.batches]).map(brief)).toEqual([
      ['r', null, { 'select "x"': 1n, "it's": 'a', 日本: 'b' }],
      ['d', { 'select "x"': 1n, "it's": 'a', 日本: 'b' }, null],
      ['c', null, { 'select "x"': 2n, "it's": 'c', 日本: 'b' }],
    ]);
    expect(eventsOf(second.batches).map((e) => e.table.id.table)).toEqual([name, name]);
  });

  it('pick tables by wildcards, and never views, virtual tables or our own', async () => {
    db.exec(
      "CREATE TABLE order_lines (id INTEGER PRIMARY KEY); CREATE VIEW order_view AS SELECT * FROM items; CREATE VIRTUAL TABLE order_text USING fts5(body); INSERT INTO order_text VALUES ('x'); INSERT INTO order_lines VALUES (1)",
    );
    fill(1, 1);
    expect(eventsOf((await world.run(NOTHING, { config: { tables: ['order_*'] } })).batches).map((e) => e.table.id.table)).toEqual([
      'order_lines',
    ]);
    expect(new Set(eventsOf((await world.run(NOTHING, { name: 'second' })).batches).map((e) => e.table.id.table))).toEqual(
      new Set(['items', 'order_lines']),
    );
  });

  it('leave columns out, but never the key', async () => {
    fill(1, 1);
    const { batches, stored } = await world.run(NOTHING, { config: { columns: { include: ['*'], exclude: ['items.p*', '*.id'] } } });
    db.exec('UPDATE items SET price = 9');
    const next = await world.run(stored, { config: { columns: { include: ['*'], exclude: ['items.p*', '*.id'] } } });
    expect(eventsOf([...batches, ...next.batches]).map(brief)).toEqual([
      ['r', null, { id: 1n, name: 'item 1' }],
      ['u', { id: 1n, name: 'item 1' }, { id: 1n, name: 'item 1' }],
    ]);
  });
});

describe('tables without a primary key', () => {
  it('have events without a key', async () => {
    db.exec("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('a'), ('a')");
    const first = await world.run(NOTHING, { config: { tables: ['notes'] }, ctx: { maxBatchEvents: 1 } });
    db.exec("UPDATE notes SET text = 'b' WHERE rowid = 1; DELETE FROM notes WHERE text = 'a'");
    const second = await world.run(first.stored, { config: { tables: ['notes'] } });
    expect(eventsOf([...first.batches, ...second.batches]).map((e) => [...brief(e), e.key])).toEqual([
      ['r', null, { text: 'a' }, null],
      ['r', null, { text: 'a' }, null],
      ['u', { text: 'a' }, { text: 'b' }, null],
      ['d', { text: 'a' }, null, null],
    ]);
  });

  it('are read from the beginning again when VACUUM has moved their rows', async () => {
    db.exec('CREATE TABLE notes (n INTEGER); INSERT INTO notes VALUES (1), (2), (3), (4), (5), (6); DELETE FROM notes WHERE n < 3');
    const source = await world.source({ tables: ['notes'] }),
      until = { partitions: await source.end(), snapshots: [] },
      events: ChangeEvent[] = [];
    let vacuumed = false;
    for await (const batch of source.read(world.context(NOTHING, until, { maxBatchEvents: 2 }), new AbortController().signal)) {
      events.push(...batch.events);
      if (events.length === 2 && !vacuumed) {
        db.exec('VACUUM');
        vacuumed = true;
      }
    }
    await source.close();
    expect(events.map((e) => [e.op, e.get('after', 'n')])).toEqual([
      ['r', 3n],
      ['r', 4n],
      ['t', undefined],
      ['r', 3n],
      ['r', 4n],
      ['r', 5n],
      ['r', 6n],
    ]);
  });
});

describe('chunks that faster lanes have', () => {
  it('end exactly where they ended, with their numbers, in the run they belong to', async () => {
    fill(1, 10);
    const ahead = await world.run(NOTHING, { ctx: { maxBatchEvents: 4 } });
    const boundaries = ahead.batches.flatMap((b) => b.snapshots ?? []).filter((s) => s.chunk === 2);
    db.exec('DELETE FROM items WHERE id = 8; INSERT INTO items VALUES (0, NULL, 0)');
    const { batches } = await world.run(NOTHING, { ctx: { maxBatchEvents: 3, boundaries }, seed: 99 });
    const chunks = batches
      .filter((b) => b.events[0]?.op === 'r')
      .map((b) => [
        b.events.map((e) => Number(e.get('after', 'id'))),
        b.snapshots?.[0]?.chunk,
        b.snapshots?.[0]?.run === boundaries[0]?.run,
      ]);
    expect(chunks).toEqual([
      [[0, 1, 2], 1, true],
      [[3, 4, 5, 6, 7], 2, true],
      [[9, 10], 3, true],
    ]);
  });

  it('go on behind the progress of the slowest', async () => {
    fill(1, 10);
    const ahead = await world.run(NOTHING, { ctx: { maxBatchEvents: 3 } });
    const progress = ahead.batches.flatMap((b) => b.snapshots ?? []),
      first = progress.filter((s) => s.chunk === 1),
      third = progress.filter((s) => s.chunk === 3);
    const stored: Stored = { positions: ahead.stored.positions, snapshots: first };
    const { batches } = await world.run(stored, { ctx: { maxBatchEvents: 2, boundaries: third } });
    const ids = batches.filter((b) => b.events.length > 0).map((b) => b.events.map((e) => Number(e.get('after', 'id'))));
    expect(ids).toEqual([[4, 5], [6, 7, 8, 9], [10]]);
  });
});

describe('what is kept in the database', () => {
  const readSome = async (source: Source, stored: Stored): Promise<Stored> => {
    const until = { partitions: await source.end(), snapshots: [] };
    let reached = stored;
    for await (const batch of source.read(world.context(stored, until), new AbortController().signal))
      reached = storedAfter(reached, batch);
    return reached;
  };

  it('is deleted up to what was acknowledged, except for the last change; that is told again', async () => {
    const source = await world.source();
    expect(await source.acknowledged()).toBeNull();
    let stored = await readSome(source, NOTHING);
    expect(await source.acknowledged()).toBeNull();
    fill(1, 5000);
    stored = await readSome(source, stored);
    expect(changesKept()).toBe(5001);
    await source.acknowledge(stored.positions);
    await source.acknowledge(NOTHING.positions);
    expect(changesKept()).toBe(1);
    expect(await source.acknowledged()).toEqual(stored.positions);
    await source.close();
    const again = await world.source();
    expect(await again.acknowledged()).toEqual(stored.positions);
    await again.acknowledge({ main: stored.positions['main']?.replace(/^\d{16}/, '0000000000000003') as never });
    expect(await again.acknowledged()).toEqual(stored.positions);
    await again.close();
    expect(eventsOf((await world.run(stored)).batches)).toEqual([]);
  });

  it('is what the slowest of several pipelines still needs', async () => {
    const [fast, slow] = [await world.source({}, 'fast'), await world.source({ tables: ['items'] }, 'slow')];
    let fastAt = await readSome(fast, NOTHING),
      slowAt = await readSome(slow, NOTHING);
    fill(1, 10);
    fastAt = await readSome(fast, fastAt);
    await fast.acknowledge(fastAt.positions);
    expect(changesKept()).toBeGreaterThanOrEqual(10);
    slowAt = await readSome(slow, slowAt);
    await slow.acknowledge(slowAt.positions);
    expect(changesKept()).toBe(1);
    await fast.close();
    await slow.close();
  });

  it('tells how much is not read yet', async () => {
    const source = await world.source(),
      stored = await readSome(source, NOTHING);
    fill(1, 7);
    expect(await source.lag()).toEqual({ events: 7, bytes: null });
    await readSome(source, stored);
    expect(await source.lag()).toEqual({ events: 0, bytes: null });
    await source.close();
  });

  it('moves on past changes of tables that only others read', async () => {
    db.exec('CREATE TABLE others (id INTEGER PRIMARY KEY)');
    await world.run(NOTHING, { name: 'all' });
    const { stored } = await world.run(NOTHING, { config: { tables: ['items'] } });
    db.exec('INSERT INTO others VALUES (1), (2)');
    const next = await world.run(stored, { config: { tables: ['items'] } });
    expect(eventsOf(next.batches)).toEqual([]);
    expect((next.stored.positions['main'] as string) > (stored.positions['main'] as string)).toBe(true);
  });

  it('is left alone by statements that displace nothing', async () => {
    const { stored } = await world.run();
    fill(1, 3);
    db.exec("INSERT OR IGNORE INTO items VALUES (1, 'x', 0); INSERT INTO items VALUES (2, 'y', 0) ON CONFLICT DO NOTHING");
    const { batches } = await world.run(stored);
    expect(eventsOf(batches).map((e) => e.op)).toEqual(['c', 'c', 'c']);
    const source = await world.source();
    await source.acknowledge(storedAfter(stored, batches.at(-1) as ChangeBatch).positions);
    await source.close();
    expect(db.prepare('SELECT count(*) FROM _cdc_run_displaced').pluck().get()).toBe(0);
  });
});

describe('which tables are captured', () => {
  it('may grow: a new one is read alone', async () => {
    db.exec('CREATE TABLE more (id INTEGER PRIMARY KEY, v); INSERT INTO more VALUES (1, 2)');
    fill(1, 2);
    const first = await world.run(NOTHING, { config: { tables: ['items'] } });
    const second = await world.run(first.stored, { config: { tables: ['items', 'more'] } });
    expect(eventsOf(second.batches).map((e) => [e.op, e.table.id.table])).toEqual([
      ['s', 'more'],
      ['r', 'more'],
    ]);
    expect(eventsOf((await world.run(second.stored)).batches)).toEqual([]);
  });

  it.each([
    ['nobody else captures it', false],
    ['another pipeline keeps it captured', true],
  ])('may shrink and grow again: a table that was left out is emptied and read anew (%s)', async (_, shared) => {
    fill(1, 3);
    db.exec('CREATE TABLE more (id INTEGER PRIMARY KEY)');
    const first = await world.run();
    if (shared) await world.run(NOTHING, { name: 'other' });
    const second = await world.run(first.stored, { config: { tables: ['more'] } });
    db.exec('DELETE FROM items WHERE id = 2');
    const skipped = await world.run(second.stored, { config: { tables: ['more'] } });
    const last = await world.run(skipped.stored),
      all = [...first.batches, ...second.batches, ...skipped.batches, ...last.batches];
    expect(
      eventsOf(last.batches)
        .map((e) => e.op)
        .filter((op) => op !== 's'),
    ).toEqual(['t', 'r', 'r']);
    expect(new Replica().apply(eventsOf(all)).rows('items')).toEqual(rowsOf(db, 'items'));
  });
});

describe('foreign keys', () => {
  it('that cascade are recorded like any other change', async () => {
    db.exec(
      'CREATE TABLE parts (id INTEGER PRIMARY KEY, item INTEGER REFERENCES items ON DELETE CASCADE ON UPDATE CASCADE); INSERT INTO items VALUES (1, NULL, 0), (2, NULL, 0); INSERT INTO parts VALUES (10, 1), (20, 2)',
    );
    db.pragma('foreign_keys = on');
    const { stored } = await world.run();
    db.exec('DELETE FROM items WHERE id = 1; UPDATE items SET id = 3 WHERE id = 2');
    const events = eventsOf((await world.run(stored)).batches);
    expect(events.map((e) => `${e.op} ${e.table.id.table}`).sort()).toEqual(['d items', 'd parts', 'u items', 'u parts']);
  });
});
