// SIGKILL at random moments, many times, while other programs write: nothing is lost, and nothing is repeated in sqlite,
// postgresql and file destinations. `CDC_CHAOS_KILLS=200 npm run test:chaos` kills more often.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { skipReason } from '../helpers/postgres.ts';
import { type AuditedTable, repeatedPuts } from './audit.ts';
import { consumed, type Line, linesOf, newestId, openDatabase } from './evidence.ts';
import { expectReplayed, postgresReplica, sqliteReplica } from './replicas.ts';
import { createShop, SHOP, TABLES } from './shop.ts';
import { expectShopDelivered } from './shop-evidence.ts';
import { chaosFolder, killsOf, rotatedLines, SEED, TIMEOUT_MS, Victim, Writer } from './victim.ts';

const noPostgres = (await skipReason()) !== null;

interface Variant {
  readonly name: string;
  /** Sections of the pipeline file. */
  readonly sections: string;
  readonly kills: { readonly snapshot: number; readonly behind: number };
  readonly log: 'memory' | 'disk';
}

const VARIANTS: readonly Variant[] = [
  { name: 'log in memory, state in sqlite', sections: '', kills: { snapshot: 5, behind: 7 }, log: 'memory' },
  {
    name: 'log on disk, state in files',
    sections: 'log: {type: disk}\nstate: {type: file}\n',
    kills: { snapshot: 3, behind: 4 },
    log: 'disk',
  },
];

describe.each(VARIANTS)('sqlite → sqlite, file and postgresql ($name)', ({ sections, kills, log }) => {
  const ROWS = 4000;

  it.skipIf(noPostgres)('loses nothing and repeats nothing, in the snapshot and behind it', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    using shop = openDatabase(work.path('shop.db'));
    createShop(shop.db, ROWS);
    await using sqlite = await sqliteReplica(work, SHOP);
    await using postgres = await postgresReplica(SHOP);
    const replicas = [sqlite, postgres];
    work.write(
      'chaos.yaml',
      `
name: chaos
source: {type: sqlite, path: shop.db, tables: [customers, orders], poll_interval: 5ms}
destinations:
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 256KiB}}
${replicas.map((r) => r.yaml()).join('')}
sync: {mode: continuous, batch_size: 40, checkpoint_interval: 100ms}
error_handling: {dead_letter_queue: {type: file, path: dead.ndjson}}
${sections}`,
    );
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', log === 'memory' ? 1 : 5, postgres.env);
    using writer = await Writer.start('writer', work.path('shop.db'));

    let within = 0;
    for (let n = killsOf(kills.snapshot); n > 0; n--) {
      await victim.killOnce(80, n % 4 === 0 ? 'start' : 'flow');
      const rows = [linesOf(work).length, ...(await Promise.all(replicas.map(async (r) => (await r.effects()).length)))];
      if (rows.some((r) => r > 0 && r < ROWS * TABLES.length)) within++;
    }
    // The test shows nothing about snapshots unless some kills came in the midst of one.
    expect(within, `seed ${SEED}: kills within the snapshot`).toBeGreaterThan(0);
    await victim.finish('--until-caught-up');
    const lastId = newestId(shop.db);
    writer.hurry();

    for (let n = killsOf(kills.behind); n > 0; n--) await victim.killOnce(600);
    const written = await writer.stop();
    await victim.finish('--until-caught-up');
    const nothingNew = await victim.finish('--until-caught-up', '--json');
    console.log(`${victim.describe()}; ${within} of them within the snapshot; ${written}`);
    expect(JSON.parse(nothingNew.out)).toMatchObject({ outcome: 'done', eventsRead: 0 });
    expect(existsSync(work.path('dead.ndjson'))).toBe(false);

    const lines = linesOf(work);
    await expectShopDelivered(shop.db, lines, replicas, lastId);
    // All that was ever read is still there, whole, once, and in the order in which it was delivered.
    if (log === 'disk') expect(await consumed(victim, 'chaos')).toEqual(lines);
  });
});

describe('generator → sqlite, file and postgresql', () => {
  /** More than can be delivered before the last kill. */
  const EVENTS = 2500 * killsOf(4);
  const TABLE: AuditedTable = {
    name: 'events',
    columns: 'id bigint PRIMARY KEY, seq bigint, amount text, status text, updated_at text, payload text',
    rev: 'seq',
  };

  it.skipIf(noPostgres)('delivers exactly what a run without kills delivers', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using sqlite = await sqliteReplica(work, [TABLE]);
    await using postgres = await postgresReplica([TABLE]);
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
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 512KiB}}
${[sqlite, postgres].map((r) => r.yaml(', create_tables: false')).join('')}
sync: ${sync}
`,
    );
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', 2, postgres.env);
    expect((await work.run(['calm.yaml'])).code).toBe(0);

    for (let n = killsOf(4); n > 0; n--) await victim.killOnce(300);
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
    const done = (await sqlite.effects()).map(({ op, id, rev }) => (op === 'gone' ? `gone ${id}` : `put ${id} ${rev}`));
    expect(done.length, 'changes in sqlite').toBe(wanted.length);
    expect(
      done.filter((what, i) => what !== wanted[i]),
      'changes in sqlite that differ',
    ).toEqual([]);
    expect(repeatedPuts(await postgres.effects())).toEqual([]);
    const columns = { id: 'number', seq: 'number', amount: 'text' } as const;
    for (const replica of [sqlite, postgres]) await expectReplayed(replica, events, 'events', columns);
  });
});
