// A destination whose table was damaged gets the log again: the command line as a child process, sqlite to sqlite over a log
// on disk.

import { isDeepStrictEqual } from 'node:util';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { Workspace } from './process.ts';

const yaml = (mode: string): string => `name: people
source: {type: sqlite, path: shop.db, tables: [people, cities], snapshot_mode: initial, poll_interval: 20ms}
destination: {type: sqlite, name: copy, path: copy.db}
log: {type: disk, path: log}
sync: {mode: ${mode}}
`;
const CITIES = 3;

function change(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}
function names(path: string): unknown[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare('SELECT name FROM people ORDER BY id').pluck().all();
  } finally {
    db.close();
  }
}
function cities(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare('SELECT count(*) FROM cities').pluck().get();
  } finally {
    db.close();
  }
}

async function delivered(work: Workspace): Promise<void> {
  expect((await work.run(['people.yaml', '--until-caught-up'])).code).toBe(0);
}

/** Rows read by a snapshot, then changed. */
async function filled(work: Workspace): Promise<void> {
  work.write('people.yaml', yaml('one_time'));
  const tables =
    'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE cities (id INTEGER PRIMARY KEY, name TEXT);';
  change(
    work.path('shop.db'),
    `${tables} INSERT INTO people VALUES (1, 'ann'), (2, 'bob'); INSERT INTO cities VALUES (1, 'a'), (2, 'b'), (3, 'c');`,
  );
  await delivered(work);
  change(
    work.path('shop.db'),
    "UPDATE people SET name = 'anna' WHERE id = 1; INSERT INTO people VALUES (3, 'cyd'); DELETE FROM people WHERE id = 2;",
  );
  await delivered(work);
  expect(names(work.path('copy.db'))).toEqual(['anna', 'cyd']);
}

describe('cdc-run replay', () => {
  it('repairs a damaged table of a stopped pipeline at its next start, and leaves the others alone', async () => {
    using work = new Workspace();
    await filled(work);
    const copy = work.path('copy.db');
    change(copy, "DELETE FROM people; INSERT INTO people VALUES (3, 'broken'); DELETE FROM cities;");

    const dry = await work.run(['replay', 'people.yaml', '--from', '1', '--tables', 'people', '--dry-run']);
    expect(dry).toMatchObject({ code: 0, out: expect.stringMatching(/^records 1 to \d+: 5 events of .*\n {2}people {2}5 events\n/) });
    await delivered(work);
    expect(names(copy)).toEqual(['broken']);

    const stored = await work.run(['replay', 'people.yaml', '--from', '1', '--tables', 'people']);
    expect(stored).toMatchObject({ code: 0, out: expect.stringContaining('✔ stored: the next start of the pipeline begins with it') });
    const twice = await work.run(['replay', 'people.yaml', '--from', '1']);
    expect(twice).toMatchObject({ code: 4, err: expect.stringContaining('has a replay already') });
    change(work.path('shop.db'), "INSERT INTO people VALUES (4, 'dan');");
    await delivered(work);
    expect(names(copy)).toEqual(['anna', 'cyd', 'dan']);
    expect(cities(copy)).toBe(0);

    // Done once: a further start sends nothing.
    change(copy, "UPDATE people SET name = 'mine' WHERE id = 1;");
    await delivered(work);
    expect(names(copy)).toEqual(['mine', 'cyd', 'dan']);
  });

  it('refuses what cannot be, and takes a request back', async () => {
    using work = new Workspace();
    await filled(work);
    const refusals: [string[], number, string][] = [
      [['--from', '0'], 4, 'LOG_REPLAY_REFUSED'],
      [['--from', '1', '--to', '2'], 4, 'record 2 is before record'],
      [['--from', '1', '--tables', 'peeple'], 4, 'hold no event of peeple'],
      [['--from', '1', '--destination', 'other'], 2, 'has no destination "other"'],
      [[], 2, 'replay needs --from'],
      [['--cancel'], 4, 'has no replay to cancel'],
    ];
    for (const [args, code, text] of refusals)
      expect(await work.run(['replay', 'people.yaml', ...args])).toMatchObject({ code, err: expect.stringContaining(text) });
    expect((await work.run(['replay', 'people.yaml', '--from', '1d', '--json'])).out).toContain('"done":"stored"');
    expect((await work.run(['replay', 'people.yaml', '--cancel'])).code).toBe(0);
    change(work.path('copy.db'), 'DELETE FROM people;');
    await delivered(work);
    expect(names(work.path('copy.db'))).toEqual([]);
  });

  it('is done by a running pipeline at once', async () => {
    using work = new Workspace();
    await filled(work);
    work.write('people.yaml', yaml('continuous'));
    const run = work.start(['people.yaml']);
    await run.until(/"msg":"continued from/);
    const copy = work.path('copy.db');
    change(copy, 'DELETE FROM people; DELETE FROM cities;');
    const asked = await work.run(['replay', 'people.yaml', '--from', '1']);
    expect(asked).toMatchObject({ code: 0, out: expect.stringContaining('✔ accepted: the running pipeline sends it now') });
    await run.until(/"msg":"replay to destination \\"copy\\" is done"/);
    expect([names(copy), cities(copy)]).toEqual([['anna', 'cyd'], CITIES]);
    run.child.kill('SIGTERM');
    expect((await run.ended).code).toBe(0);
  });

  it('is done with several workers, and live events go on behind it', async () => {
    using work = new Workspace();
    const workers = (mode: string): string =>
      yaml(mode).replace(`mode: ${mode}`, `mode: ${mode}, parallelism: {enabled: true, worker_count: 3}`);
    work.write('people.yaml', workers('continuous'));
    const shop = work.path('shop.db'),
      copy = work.path('copy.db');
    change(
      shop,
      'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE cities (id INTEGER PRIMARY KEY, name TEXT);',
    );
    for (let id = 1; id <= 40; id++) change(shop, `INSERT INTO people VALUES (${id}, 'old ${id}')`);
    const run = work.start(['people.yaml']);
    await run.until(/"msg":"first run"/);
    change(shop, "UPDATE people SET name = 'new ' || id");
    const wanted = (): unknown[] => names(shop);
    const delivers = (): Promise<void> => eventually(() => isDeepStrictEqual(names(copy), wanted()), 'the copy equals its source');
    await delivers();
    const points = (): unknown => {
      const db = new Database(copy, { readonly: true });
      const found = db
        .prepare("SELECT worker, json_extract(point, '$.sources') FROM _cdc_run_points WHERE worker >= 0 ORDER BY worker")
        .all();
      db.close();
      return found;
    };
    expect(points()).toHaveLength(3);

    change(copy, 'DELETE FROM people;');
    const asked = await work.run(['replay', 'people.yaml', '--from', '1']);
    expect(asked).toMatchObject({ code: 0, out: expect.stringContaining('✔ accepted: the running pipeline sends it now') });
    change(shop, "UPDATE people SET name = 'live ' || id WHERE id % 2 = 0");
    await run.until(/"msg":"replay to destination \\"copy\\" is done"/);
    await delivers();
    run.child.kill('SIGTERM');
    expect((await run.ended).code).toBe(0);

    // Stopped: the next start begins with it, and takes the workers along.
    change(copy, 'DELETE FROM people;');
    expect(await work.run(['replay', 'people.yaml', '--from', '1'])).toMatchObject({ code: 0, out: expect.stringContaining('✔ stored') });
    work.write('people.yaml', workers('one_time'));
    await delivered(work);
    expect(names(copy)).toEqual(wanted());
  });
});
