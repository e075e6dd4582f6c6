// What an operator does with a pipeline that captures PostgreSQL, on the command line: plan, status, lag, offsets, snapshot.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { Workspace } from './process.ts';

class Shop implements AsyncDisposable {
  readonly db: TestDatabase;
  readonly work = new Workspace();

  private constructor(db: TestDatabase) {
    this.db = db;
  }

  static async create(source: string, more = ''): Promise<Shop> {
    const shop = new Shop(await createDatabase());
    await shop.db.query(`CREATE TABLE items (id int PRIMARY KEY, v text); INSERT INTO items SELECT n, 'old' FROM generate_series(1, 200) n;
      CREATE TABLE broken (id int PRIMARY KEY, v text); INSERT INTO broken VALUES (1, 'old')`);
    shop.write(source, more);
    return shop;
  }

  get name(): string {
    return this.db.name;
  }

  write(source: string, more = ''): void {
    this.work.write(
      'shop.yaml',
      `name: ${this.name}
source: {type: postgresql, name: shop, url: "${this.db.url}", tables: [items, broken], ${source}}
destination: {type: file, name: out, path: out.ndjson, envelope: plain}
${more}`,
    );
  }

  /** Written so far. */
  rows(table: string, op: string): { id: number; v: string }[] {
    if (!existsSync(this.work.path('out.ndjson'))) return [];
    const lines = this.work
      .lines('out.ndjson')
      .map((l) => JSON.parse(l) as { op: string; table: string; after: { id: number; v: string } });
    return lines.filter((l) => l.op === op && l.table === table).map((l) => l.after);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.work[Symbol.dispose]();
    await dropSlots(this.db);
    await this.db[Symbol.asyncDispose]();
  }
}

const WHERE_FAILS = "snapshot: {where: {broken: '1 / (id - id) = 1'}}";

describe.skipIf((await skipReason()) !== null)('a pipeline that captures PostgreSQL', () => {
  it('is looked at and told what to do while it runs; a table that cannot be read holds up nobody', async () => {
    await using shop = await Shop.create(WHERE_FAILS);
    const { work, db, name } = shop,
      file = ['-c', 'shop.yaml'];
    const running = work.start(['shop.yaml']);
    await running.until(/rows could not be read/);
    await eventually(() => shop.rows('items', 'r').length === 200, 'the rows of the other table');
    await db.query("INSERT INTO items VALUES (300, 'new'); INSERT INTO broken VALUES (300, 'new')");
    await eventually(() => shop.rows('items', 'c').length + shop.rows('broken', 'c').length === 2, 'changes of both');
    expect((await work.run(['status', name])).out).toMatch(
      /public\.broken\s+paused\s+0 of about \d+ rows .*division by zero[\s\S]*1 table done/,
    );

    const some = ['snapshot', name, '--tables', 'items', '--where', 'id <= 3', ...file];
    expect(await work.run(some)).toMatchObject({
      code: 0,
      out: expect.stringContaining('public.items is read again (rows that meet: id <= 3)'),
    });
    await eventually(() => shop.rows('items', 'r').length === 203, 'the rows that were asked for');
    const wrong = await work.run(['snapshot', name, '--tables', 'items', '--where', 'nope <= 3', ...file]);
    expect(wrong).toMatchObject({ code: 4, err: expect.stringMatching(/SOURCE_SNAPSHOT_REFUSED[\s\S]*column "nope" does not exist/) });
    const unknown = await work.run(['snapshot', name, '--tables', 'nope', ...file]);
    expect(unknown).toMatchObject({ code: 4, err: expect.stringMatching(/captures no table "nope"[\s\S]*public\.items/) });
    const lag = JSON.parse((await work.run(['lag', name, ...file, '--json'])).out) as {
      sources: { lag: { bytes: number; retention: object } }[];
    };
    expect(lag.sources[0]?.lag).toMatchObject({
      bytes: expect.any(Number),
      retention: { status: 'reserved', retainedBytes: expect.any(Number) },
    });
    const set = ['offsets', 'set', 'shop.yaml', '--source', 'shop', '--position'];
    expect(await work.run([...set, '0/1'])).toMatchObject({ code: 3, err: expect.stringContaining('STATE_LOCKED') });

    expect((await work.run(['snapshot', name, '--tables', 'broken', '--skip', ...file])).out).toContain('public.broken is given up');
    await eventually(async () => !(await work.run(['status', name])).out.includes('paused'), 'the end of the pause');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
    expect(shop.rows('broken', 'r')).toEqual([]);
  });

  it('takes no position that it cannot go on from', async () => {
    await using shop = await Shop.create(WHERE_FAILS);
    const { work, db } = shop,
      set = ['offsets', 'set', 'shop.yaml', '--source', 'shop', '--position'];
    const running = work.start(['shop.yaml']);
    await eventually(() => shop.rows('items', 'r').length === 200, 'the rows of the other table');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
    const [now] = await db.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
    const unfinished = /STATE_MOVE_REFUSED[\s\S]*the snapshot of public.broken is not finished/;
    expect(await work.run([...set, now?.lsn ?? ''])).toMatchObject({ code: 4, err: expect.stringMatching(unfinished) });
    shop.write('');
    expect((await work.run(['shop.yaml', '--until-caught-up'])).code).toBe(0);
    await db.query("INSERT INTO items VALUES (301, 'skipped')");
    const [behind] = await db.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');

    expect(await work.run([...set, '0/1'])).toMatchObject({ code: 1, err: expect.stringMatching(/SOURCE_POSITION_GONE[\s\S]*Choose LSN/) });
    expect(await work.run([...set, 'banana'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('"banana" is no position of source "shop"'),
    });
    expect(await work.run([...set, 'FF/0'])).toMatchObject({
      code: 4,
      err: expect.stringMatching(/STATE_MOVE_REFUSED[\s\S]*ends at LSN .*, before LSN FF\/0/),
    });
    const shown = await work.run([...set, behind?.lsn ?? '']);
    expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('what lies between is skipped for good') });
    expect((await work.run([...set, behind?.lsn ?? '', '--yes'])).out).toContain('✔ done');
    await db.query("INSERT INTO items VALUES (302, 'sent')");
    expect((await work.run(['shop.yaml', '--until-caught-up'])).code).toBe(0);
    expect(shop.rows('items', 'c').map((r) => r.id)).toEqual([302]);
  });

  it('is planned: what a start would do, what is wrong, and what a schedule means for the disk of the server', async () => {
    await using shop = await Shop.create('publication: {name: nope, create: false}');
    const { work, db } = shop,
      plan = (): ReturnType<Workspace['run']> => work.run(['plan', 'shop.yaml', '--connect']);
    expect(await plan()).toMatchObject({
      code: 4,
      out: expect.stringMatching(/✖ .*the publication "nope" does not exist\n\s+fix: Run: CREATE PUBLICATION "nope"/),
    });
    shop.write('', "sync: {mode: cron, schedule: '0 3 * * *'}");
    const { code, out } = await plan();
    expect(code, out).toBe(0);
    for (const part of [
      /keeps the log between two runs: watch the disk/,
      /CREATE PUBLICATION/,
      /CREATE_REPLICATION_SLOT/,
      /locks: ACCESS SHARE/,
      /reads first: about/,
      /it grows by .*\/s now/,
    ])
      expect(out).toMatch(part);
    expect(await db.query('SELECT 1 FROM pg_publication'), 'nothing was made').toEqual([]);
  });

  it('stops when a table leaves its publication, and its replica is whole again once it is told to read it', async () => {
    await using shop = await Shop.create('');
    await using replica = await createDatabase();
    const { work, db, name } = shop;
    work.write(
      'shop.yaml',
      work.read('shop.yaml').replace(/^destination: .*$/m, `destination: {type: postgresql, name: out, url: "${replica.url}"}`),
    );
    const rows = (of: TestDatabase): Promise<unknown> => of.query('SELECT * FROM items ORDER BY id');
    const running = work.start(['shop.yaml']);
    await eventually(async () => ((await rows(replica).catch(() => [])) as unknown[]).length === 200, 'the rows');
    await db.query("UPDATE items SET v = 'seen' WHERE id = 1");
    const [publication] = await db.query<{ name: string }>('SELECT pubname AS name FROM pg_publication');
    await db.query(`ALTER PUBLICATION ${publication?.name} DROP TABLE items`);
    await db.query("DELETE FROM items WHERE id <= 10; UPDATE items SET v = 'not seen' WHERE id = 20");
    const { code, err, out } = await running.ended;
    expect(code).toBe(1);
    expect(err).toMatch(/"level":"warn".*reading again.*Changes are missing, because the publication \S+ was changed: public\.items/);
    expect(out + err).toMatch(/SOURCE_POSITION_GONE[\s\S]*cdc-run snapshot \w+ --tables public\.items/);

    expect((await work.run(['snapshot', name, '--tables', 'public.items', '-c', 'shop.yaml'])).out).toContain('public.items is read again');
    expect((await work.run(['shop.yaml', '--until-caught-up'])).code).toBe(0);
    expect(await rows(replica)).toEqual(await rows(db));
    await db.query("INSERT INTO items VALUES (500, 'later')");
    expect((await work.run(['shop.yaml', '--until-caught-up'])).code).toBe(0);
    expect(await rows(replica)).toEqual(await rows(db));
  });
});
