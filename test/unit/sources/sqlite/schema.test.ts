// Changes of schema beside a running capture, and histories that are lost: noticed, told, never skipped over.

import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../../../src/sdk/index.ts';
import { type Db, eventsOf, NOTHING, Replica, rowsOf, type Stored, storedAfter, World } from './harness.ts';

let world: World;
let db: Db;
beforeEach(() => {
  world = new World();
  db = world.db();
  db.exec("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')");
});
afterEach(() => {
  world.close();
});

const brief = (e: ChangeEvent) =>
  e.op === 's' ? ['s', e.schemaChange?.kind, e.table.version] : [e.op, e.after ?? e.before, e.table.version];
const dropTriggers = (): void => {
  for (const name of db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '\\_cdc\\_run\\_%' ESCAPE '\\'")
    .pluck()
    .all())
    db.exec(`DROP TRIGGER "${name}"`);
};
/** The way of SQLite's manual, and of every migration tool: a new table takes the place of the old one. */
const rebuild = (columns: string, select: string): void => {
  db.exec(
    `BEGIN; CREATE TABLE new_items (${columns}); INSERT INTO new_items SELECT ${select} FROM items; DROP TABLE items; ALTER TABLE new_items RENAME TO items; COMMIT`,
  );
};

describe('an added column', () => {
  it('is told before the first row that has it, and rows changed before it was noticed come again with it', async () => {
    const { batches, stored } = await world.run();
    db.exec(
      "UPDATE items SET name = 'old' WHERE id = 1; ALTER TABLE items ADD COLUMN size INTEGER DEFAULT 7; UPDATE items SET size = 9 WHERE id = 2; INSERT INTO items VALUES (4, 'd', 10)",
    );
    const next = await world.run(stored);
    db.exec('UPDATE items SET size = 11 WHERE id = 3');
    const last = await world.run(next.stored);
    expect(eventsOf(next.batches).map(brief)).toEqual([
      ['u', { id: 1n, name: 'old' }, 1],
      ['u', { id: 2n, name: 'b' }, 1],
      ['c', { id: 4n, name: 'd' }, 1],
      ['s', 'alter', 2],
      ['u', { id: 1n, name: 'old', size: 7n }, 2],
      ['u', { id: 2n, name: 'b', size: 9n }, 2],
      ['u', { id: 4n, name: 'd', size: 10n }, 2],
    ]);
    expect(eventsOf(last.batches).map(brief)).toEqual([['u', { id: 3n, name: 'c', size: 11n }, 2]]);
    const change = eventsOf(next.batches).find((e) => e.op === 's');
    expect(change?.table.columns.at(-1)).toEqual({ name: 'size', nativeType: 'INTEGER', type: 'int64', nullable: true, default: 7n });
    expect(change?.schemaChange?.previous?.columns.map((c) => c.name)).toEqual(['id', 'name']);
    expect(new Replica().apply(eventsOf([...batches, ...next.batches, ...last.batches])).rows('items')).toEqual(rowsOf(db, 'items'));
  });

  it('is noticed while the source is reading', async () => {
    const source = await world.source(),
      until = { partitions: { main: '9999999999999999-9999999999999' as never }, snapshots: [] },
      abort = new AbortController();
    const seen: unknown[] = [];
    const steps = [
      'ALTER TABLE items ADD COLUMN size',
      'UPDATE items SET size = 1.5 WHERE id = 1',
      "INSERT INTO items VALUES (9, 'x', 'y')",
    ];
    world.clock.onSleep = () => {
      const sql = steps.shift();
      if (sql === undefined) abort.abort();
      else db.exec(sql);
    };
    for await (const batch of source.read(world.context(NOTHING, until), abort.signal))
      seen.push(...batch.events.filter((e) => e.op !== 'r').map(brief));
    await source.close();
    expect(seen).toEqual([
      ['s', 'alter', 2],
      ['u', { id: 1n, name: 'a', size: 1.5 }, 2],
      ['c', { id: 9n, name: 'x', size: 'y' }, 2],
    ]);
  });
});

describe('a renamed column', () => {
  it('is told, and the table is read again so that all rows have it under its new name', async () => {
    const { batches, stored } = await world.run();
    db.exec(
      "UPDATE items SET name = 'z' WHERE id = 1; ALTER TABLE items RENAME COLUMN name TO title; UPDATE items SET title = 'y' WHERE id = 2",
    );
    const next = await world.run(stored);
    expect(eventsOf(next.batches).map(brief)).toEqual([
      ['u', { id: 1n, name: 'z' }, 1],
      ['u', { id: 2n, name: 'y' }, 1],
      ['s', 'alter', 2],
      ['r', { id: 1n, title: 'z' }, 2],
      ['r', { id: 2n, title: 'y' }, 2],
      ['r', { id: 3n, title: 'c' }, 2],
    ]);
    expect(new Replica().apply(eventsOf([...batches, ...next.batches])).rows('items')).toEqual(rowsOf(db, 'items'));
  });

  it('is read again after a crash before the first chunk, too', async () => {
    const { stored } = await world.run();
    db.exec('ALTER TABLE items RENAME COLUMN name TO title');
    const source = await world.source(),
      until = { partitions: await source.end(), snapshots: [] };
    let reached: Stored = stored;
    for await (const batch of source.read(world.context(stored, until), new AbortController().signal)) {
      reached = storedAfter(reached, batch);
      if (batch.events.some((e) => e.op === 's')) break;
    }
    await source.close();
    expect(eventsOf((await world.run(reached)).batches).map((e) => e.op)).toEqual(['r', 'r', 'r']);
  });
});

describe('progress of a run that a record began', () => {
  it('counts for nothing before that record: it comes again, and the table is read from the beginning', async () => {
    const { stored } = await world.run();
    db.exec('ALTER TABLE items RENAME COLUMN name TO title');
    const ahead = await world.run(stored, { ctx: { maxBatchEvents: 2 } });
    const second = ahead.batches.flatMap((b) => b.snapshots ?? []).filter((s) => s.chunk === 1);
    const behind = await world.run({ positions: stored.positions, snapshots: second }, { seed: 5 });
    expect(eventsOf(behind.batches).map((e) => [e.op, e.get('after', 'id')])).toEqual([
      ['s', undefined],
      ['r', 1n],
      ['r', 2n],
      ['r', 3n],
    ]);
    expect(behind.stored.snapshots[0]?.run).not.toBe(second[0]?.run);
  });
});

describe('a new table', () => {
  it('that matches is captured when it is seen: told, read, followed', async () => {
    const { stored } = await world.run();
    db.exec('CREATE TABLE more (id INTEGER PRIMARY KEY); INSERT INTO more VALUES (5)');
    const next = await world.run(stored);
    db.exec('INSERT INTO more VALUES (6)');
    const last = await world.run(next.stored);
    expect(eventsOf([...next.batches, ...last.batches]).map(brief)).toEqual([
      ['s', 'create', 1],
      ['r', { id: 5n }, 1],
      ['c', { id: 6n }, 1],
    ]);
  });
});

describe('a dropped table', () => {
  it('is told; another one of its name is a new table, and what destinations have of the old one goes', async () => {
    const { batches, stored } = await world.run();
    db.exec('CREATE TABLE rest (id INTEGER PRIMARY KEY); DROP TABLE items');
    const dropped = await world.run(stored);
    db.exec("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO items VALUES (9, 'new')");
    const again = await world.run(dropped.stored),
      all = [...batches, ...dropped.batches, ...again.batches];
    expect(
      eventsOf(dropped.batches)
        .filter((e) => e.table.id.table === 'items')
        .map(brief),
    ).toEqual([['s', 'drop', 1]]);
    expect(eventsOf(again.batches).map((e) => e.op)).toEqual(['s', 't', 'r']);
    expect(new Replica().apply(eventsOf(all)).rows('items')).toEqual(rowsOf(db, 'items'));
  });

  it('that was only renamed is dropped under its old name and new under the other', async () => {
    const { stored } = await world.run();
    db.exec("ALTER TABLE items RENAME TO things; INSERT INTO things VALUES (4, 'd')");
    const next = await world.run(stored),
      events = eventsOf(next.batches);
    expect(events.filter((e) => e.table.id.table === 'things').map((e) => e.op)).toEqual(['s', 'r', 'r', 'r', 'r']);
    expect(events.find((e) => e.op === 's' && e.table.id.table === 'items')?.schemaChange?.kind).toBe('drop');
    db.exec('DELETE FROM things WHERE id = 4');
    expect(eventsOf((await world.run(next.stored)).batches).map((e) => [e.op, e.table.id.table])).toEqual([['d', 'things']]);
  });
});

describe('triggers that were missing for a while', () => {
  const cases: readonly [string, () => void][] = [
    [
      'a table that was rebuilt',
      () => {
        rebuild('id INTEGER PRIMARY KEY, name TEXT', 'id, name');
        db.exec('DELETE FROM items WHERE id = 2');
      },
    ],
    [
      'a table that was rebuilt with other columns',
      () => {
        rebuild('id INTEGER PRIMARY KEY, title TEXT, size', 'id, name, 1');
        db.exec('DELETE FROM items WHERE id = 2');
      },
    ],
    [
      'triggers that somebody dropped',
      () => {
        dropTriggers();
        db.exec('DELETE FROM items WHERE id = 2');
      },
    ],
    [
      'a column that could only be dropped without them',
      () => {
        dropTriggers();
        db.exec('DELETE FROM items WHERE id = 2; ALTER TABLE items DROP COLUMN name');
      },
    ],
  ];

  it.each(cases)('stop the pipeline with a choice: %s', async (_, act) => {
    const { stored } = await world.run();
    db.exec("UPDATE items SET name = 'z'");
    act();
    await expect(world.run(stored)).rejects.toMatchObject({
      code: 'SOURCE_POSITION_GONE',
      retriable: false,
      fix: expect.stringContaining('when_needed'),
    });
    await expect(world.run(stored)).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE' });
  });

  it.each(cases)('make when_needed empty the table and read it again: %s', async (_, act) => {
    const { batches, stored } = await world.run();
    db.exec("UPDATE items SET name = 'z'");
    act();
    const next = await world.run(stored, { config: { snapshot_mode: 'when_needed' } });
    db.exec('INSERT INTO items (id) VALUES (8)');
    const last = await world.run(next.stored);
    expect(eventsOf(next.batches).map((e) => e.op)).toEqual(expect.arrayContaining(['t', 'r']));
    expect(new Replica().apply(eventsOf([...batches, ...next.batches, ...last.batches])).rows('items')).toEqual(rowsOf(db, 'items'));
  });
});

describe('the place to go on from', () => {
  const modes = ['initial', 'when_needed'] as const;

  it.each(modes)('is gone in a database restored from a backup, with snapshot_mode %s', async (snapshot_mode) => {
    const backup = `${world.path}.backup`,
      first = await world.run();
    db.exec("UPDATE items SET name = 'x'");
    const second = await world.run(first.stored);
    await db.backup(backup);
    db.exec("UPDATE items SET name = 'y' WHERE id = 1; INSERT INTO items VALUES (4, 'd')");
    const third = await world.run(second.stored);
    db.close();
    for (const file of ['', '-wal', '-shm', '-journal']) rmSync(world.path + file, { force: true });
    copyFileSync(backup, world.path);
    db = world.db();
    // More changes than were lost: the numbers alone would tell nothing.
    db.exec('UPDATE items SET name = name || 1; UPDATE items SET name = name || 2; UPDATE items SET name = name || 3');
    const run = world.run(third.stored, { config: { snapshot_mode } });
    if (snapshot_mode === 'initial') {
      await expect(run).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE', message: expect.stringContaining('restored') });
      return;
    }
    const fourth = await run,
      before = third.stored.positions['main'] as string;
    expect(
      eventsOf(fourth.batches)
        .filter((e) => e.op === 't')
        .every((e) => e.position > before),
    ).toBe(true);
    const replica = new Replica().apply(eventsOf([...first.batches, ...second.batches, ...third.batches, ...fourth.batches]));
    expect(replica.rows('items')).toEqual(rowsOf(db, 'items'));
  });

  it.each(modes)('is gone in another database, with snapshot_mode %s', async (snapshot_mode) => {
    const first = await world.run();
    db.exec("UPDATE items SET name = 'x'");
    const second = await world.run(first.stored);
    db.exec(
      'DROP TABLE _cdc_run_changes; DROP TABLE _cdc_run_displaced; DROP TABLE _cdc_run_tables; DROP TABLE _cdc_run_consumers; DROP TABLE _cdc_run_meta',
    );
    dropTriggers();
    db.exec('DELETE FROM items WHERE id = 2');
    const run = world.run(second.stored, { config: { snapshot_mode } });
    if (snapshot_mode === 'initial') {
      await expect(run).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE' });
      return;
    }
    const third = await run;
    expect(new Replica().apply(eventsOf([...first.batches, ...second.batches, ...third.batches])).rows('items')).toEqual(
      rowsOf(db, 'items'),
    );
    db.exec("INSERT INTO items VALUES (7, 'g')");
    expect(eventsOf((await world.run(third.stored)).batches).map((e) => e.op)).toEqual(['c']);
  });

  it('is gone when the changes behind it are deleted', async () => {
    const { stored } = await world.run();
    db.exec("UPDATE items SET name = 'x'");
    const second = await world.run(stored),
      source = await world.source();
    await source.acknowledge(second.stored.positions);
    await source.close();
    await expect(world.run(stored)).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE', message: expect.stringContaining('deleted') });
    expect(eventsOf((await world.run(second.stored)).batches)).toEqual([]);
  });

  it('is looked for anew when another file takes the place of the database', async () => {
    const backup = `${world.path}.backup`,
      { stored } = await world.run();
    await db.backup(backup);
    db.exec("INSERT INTO items VALUES (4, 'd')");
    const source = await world.source(),
      abort = new AbortController();
    world.clock.onSleep = () => {
      renameSync(backup, world.path);
      world.clock.onSleep = () => {
        abort.abort();
      };
    };
    const read = async (from: Stored): Promise<Stored> => {
      let reached = from;
      for await (const batch of source.read(world.context(from, null), abort.signal)) reached = storedAfter(reached, batch);
      return reached;
    };
    let reached = stored;
    await expect(
      (async () => {
        for await (const batch of source.read(world.context(stored, null), abort.signal)) reached = storedAfter(reached, batch);
      })(),
    ).rejects.toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    await expect(read(reached)).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE' });
    await source.close();
  });

  it('that nobody can read is no place', async () => {
    await expect(world.run({ positions: { main: 'nonsense' as never }, snapshots: [] })).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });
});

describe('other triggers', () => {
  it('made later do not get between a change and its record: ours are made anew', async () => {
    const { stored } = await world.run();
    db.exec('CREATE TRIGGER later AFTER INSERT ON items BEGIN UPDATE items SET name = upper(name) WHERE id = NEW.id; END');
    const next = await world.run(stored);
    db.exec("INSERT INTO items VALUES (5, 'e')");
    expect(eventsOf((await world.run(next.stored)).batches).map((e) => [e.op, e.before, e.after])).toEqual([
      ['c', null, { id: 5n, name: 'e' }],
      ['u', { id: 5n, name: 'e' }, { id: 5n, name: 'E' }],
    ]);
  });

  it('and indexes that are made later are taken into account', async () => {
    const { batches, stored } = await world.run();
    db.exec('CREATE UNIQUE INDEX one_name ON items (name)');
    const next = await world.run(stored);
    db.exec("REPLACE INTO items VALUES (9, 'b')");
    const last = await world.run(next.stored);
    expect(eventsOf(last.batches).map((e) => [e.op, e.key])).toEqual([
      ['d', { id: 2n }],
      ['c', { id: 9n }],
    ]);
    expect(new Replica().apply(eventsOf([...batches, ...last.batches])).rows('items')).toEqual(rowsOf(db, 'items'));
  });

  it('and generated columns that are made of each other do not matter', async () => {
    db.exec('CREATE TABLE odd (a INTEGER PRIMARY KEY, b, top AS (later * 2) UNIQUE, later AS (b + 1))');
    const { stored } = await world.run(NOTHING, { config: { tables: ['odd'] } });
    db.exec('INSERT INTO odd (a, b) VALUES (1, 10), (2, 20); REPLACE INTO odd (a, b) VALUES (3, 10)');
    const { batches } = await world.run(stored, { config: { tables: ['odd'] } });
    expect(eventsOf(batches).map((e) => [e.op, e.key, e.get(e.op === 'd' ? 'before' : 'after', 'top')])).toEqual([
      ['c', { a: 1n }, 22n],
      ['c', { a: 2n }, 42n],
      ['d', { a: 1n }, 22n],
      ['c', { a: 3n }, 22n],
    ]);
  });

  it('are not asked for when a table has more columns than its changes could', async () => {
    db.exec(`CREATE TABLE wide (${Array.from({ length: 1000 }, (_, i) => `c${i}`).join(', ')})`);
    await expect(world.run(NOTHING, { config: { tables: ['wide'] } })).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
      message: expect.stringContaining('1000 columns'),
    });
    expect(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%cdc%'").pluck().get()).toBe(0);
  });
});
