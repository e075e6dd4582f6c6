// SIGKILL at random moments, many times, while other programs write: nothing is lost, and nothing is repeated in sqlite,
// postgresql and file destinations. `CDC_CHAOS_KILLS=200 npm run test:chaos` kills more often.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createDatabase, skipReason } from '../helpers/postgres.ts';
import { type AuditedTable, auditPostgres, auditSqlite, type Effect, postgresEffects, repeatedPuts, sqliteEffects } from './audit.ts';
import { changeOf, expectEachOnce, expectPuts, type Line, linesOf, newestId, openDatabase, replayed } from './evidence.ts';
import { createShop, historyOf, TABLES } from './shop.ts';
import { chaosFolder, killsOf, rotatedLines, SEED, ShopWriter, TIMEOUT_MS, Victim } from './victim.ts';

const noPostgres = (await skipReason()) !== null;

describe('sqlite → sqlite, file and postgresql', () => {
  const ROWS = 4000;
  const SHOP: readonly AuditedTable[] = TABLES.map((name) => ({
    name,
    columns: 'id bigint PRIMARY KEY, name text, credit double precision, rev bigint',
    rev: 'rev',
  }));

  it.skipIf(noPostgres)('loses nothing and repeats nothing, in the snapshot and behind it', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using postgres = await createDatabase();
    work.write(
      'chaos.yaml',
      `
name: chaos
source: {type: sqlite, path: shop.db, tables: [customers, orders], poll_interval: 5ms}
destinations:
  - {name: replica, type: sqlite, path: replica.db}
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 256KiB}}
  - {name: warehouse, type: postgresql, url: "\${CHAOS_POSTGRES}"}
sync: {mode: continuous, batch_size: 40, checkpoint_interval: 100ms}
error_handling: {dead_letter_queue: {type: file, path: dead.ndjson}}
`,
    );
    using shop = openDatabase(work.path('shop.db'));
    createShop(shop.db, ROWS);
    using replica = openDatabase(work.path('replica.db'));
    auditSqlite(replica.db, SHOP);
    await auditPostgres(postgres, SHOP);
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', 1, { CHAOS_POSTGRES: postgres.url });
    using writer = await ShopWriter.start(work.path('shop.db'), SEED);

    let within = 0;
    for (let n = killsOf(8); n > 0; n--) {
      await victim.killOnce(80, n % 4 === 0 ? 'start' : 'flow');
      const rows = [linesOf(work).length, sqliteEffects(replica.db).length, (await postgresEffects(postgres)).length];
      if (rows.some((r) => r > 0 && r < ROWS * TABLES.length)) within++;
    }
    // The test shows nothing about snapshots unless some kills came in the midst of one.
    expect(within, `seed ${SEED}: kills within the snapshot`).toBeGreaterThan(1);
    await victim.finish('--until-caught-up');
    const lastId = newestId(shop.db);
    writer.hurry();

    for (let n = killsOf(17); n > 0; n--) await victim.killOnce(600);
    const written = await writer.stop();
    await victim.finish('--until-caught-up');
    const nothingNew = await victim.finish('--until-caught-up', '--json');
    console.log(`${victim.describe()}; ${within} of them within the snapshot; ${written}`);
    expect(JSON.parse(nothingNew.out)).toMatchObject({ outcome: 'done', eventsRead: 0 });
    expect(existsSync(work.path('dead.ndjson'))).toBe(false);

    const lines = linesOf(work),
      history = historyOf(shop.db);
    const streamed = lines.filter(({ op }) => op !== 'r');
    expectEachOnce(lines);
    // Exactly the changes since the triggers were installed, in the order in which they were made.
    expect(streamed.map(changeOf)).toEqual(history.slice(-streamed.length));
    for (const table of TABLES) {
      const rows = shop.db.prepare(`SELECT * FROM ${table} ORDER BY id`).all();
      expect(replayed(lines, table), `replay of the file, ${table}`).toEqual(rows);
      expect(replica.db.prepare(`SELECT * FROM ${table} ORDER BY id`).all(), `sqlite, ${table}`).toEqual(rows);
      expect(
        await postgres.query(`SELECT id::float8, name, credit, rev::float8 FROM ${table} ORDER BY id`),
        `postgresql, ${table}`,
      ).toEqual(rows);
    }
    const inSqlite = sqliteEffects(replica.db),
      inPostgres = await postgresEffects(postgres);
    const isOld = ({ id }: Effect): boolean => id <= lastId;
    expect(repeatedPuts(inSqlite, isOld)).toEqual([]);
    expect(repeatedPuts(inPostgres, isOld)).toEqual([]);
    expectPuts(inSqlite, streamed, isOld);
  });
});

describe('generator → sqlite, file and postgresql', () => {
  /** More than can be delivered before the last kill. */
  const EVENTS = 2500 * killsOf(8);
  const TABLE: AuditedTable = {
    name: 'events',
    columns: 'id bigint PRIMARY KEY, seq bigint, amount text, status text, updated_at text, payload text',
    rev: 'seq',
  };

  it.skipIf(noPostgres)('delivers exactly what a run without kills delivers', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using postgres = await createDatabase();
    const source = `{type: generator, count: ${EVENTS}, keys: 300, mix: {create: 20, update: 60, delete: 20}, event_time: sequence}`;
    const sync = '{mode: one_time, batch_size: 25, checkpoint_interval: 100ms}';
    work.write(
      'calm.yaml',
      `name: calm\nsource: ${source}\ndestination: {type: file, path: calm/changes.ndjson, envelope: plain}\nsync: ${sync}\n`,
    );
    work.write(
      'chaos.yaml',
      `
name: chaos
source: ${source}
destinations:
  - {name: replica, type: sqlite, path: replica.db, create_tables: false}
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 512KiB}}
  - {name: warehouse, type: postgresql, url: "\${CHAOS_POSTGRES}", create_tables: false}
sync: ${sync}
`,
    );
    using replica = openDatabase(work.path('replica.db'));
    auditSqlite(replica.db, [TABLE]);
    await auditPostgres(postgres, [TABLE]);
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', 2, { CHAOS_POSTGRES: postgres.url });
    expect((await work.run(['calm.yaml'])).code).toBe(0);

    for (let n = killsOf(8); n > 0; n--) await victim.killOnce(300);
    await victim.finish();
    console.log(victim.describe());

    const calm = rotatedLines(work, 'calm', 'changes');
    expect(calm).toHaveLength(EVENTS);
    const lines = rotatedLines(work, 'out', 'changes');
    expect(lines.length).toBe(EVENTS);
    expect(
      lines.filter((line, i) => line !== calm[i]),
      'lines that a run without kills does not have',
    ).toEqual([]);
    const events = lines.map((line) => JSON.parse(line) as Line);
    // Row by row in sqlite; in postgresql the last change of a key in a batch stands for those before it.
    const wanted = events.map(({ op, key, after }) => (op === 'd' ? `gone ${key.id}` : `put ${key.id} ${String(after?.['seq'])}`));
    const done = sqliteEffects(replica.db).map(({ op, id, rev }) => (op === 'gone' ? `gone ${id}` : `put ${id} ${rev}`));
    expect(done.length, 'changes in sqlite').toBe(wanted.length);
    expect(
      done.filter((what, i) => what !== wanted[i]),
      'changes in sqlite that differ',
    ).toEqual([]);
    expect(repeatedPuts(await postgresEffects(postgres))).toEqual([]);
    const rows = replayed(events, 'events').map(({ id, seq, amount }) => ({ id, seq, amount }));
    expect(replica.db.prepare('SELECT id, seq, amount FROM events ORDER BY id').all(), 'sqlite').toEqual(rows);
    expect(await postgres.query('SELECT id::float8, seq::float8, amount FROM events ORDER BY id'), 'postgresql').toEqual(rows);
  });
});
