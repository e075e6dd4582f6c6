// MySQL as source (MariaDB unless `CDC_CHAOS_MYSQL=mysql` says otherwise), under load of several writers: the pipeline, the thread that
// sends it the log and the whole server are killed at random moments, in the snapshot and behind it.

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { mysqlServers } from '../helpers/mysql.ts';
import { linesOf } from './evidence.ts';
import { createMysqlShop, expectMysqlShopDelivered, MYSQL_SHOP, sinceNow } from './mysql-shop.ts';
import { findMysql, OwnMysql } from './own-mysql.ts';
import { mysqlReplica, sqliteReplica } from './replicas.ts';
import { TABLES } from './shop.ts';
import { chaosFolder, killsOf, SEED, TIMEOUT_MS, Victim, Writer } from './victim.ts';

const NAME = process.env['CDC_CHAOS_MYSQL'] ?? 'mariadb';
const programs = (await mysqlServers()).includes('mariadb') ? await findMysql(NAME) : null;
const ROWS = 4000;
const VICTIMS = ['dump', 'client', 'dump', 'server'] as const;

const VARIANTS = [
  { name: 'log in memory', sections: '', salt: 10, kills: { snapshot: 4, behind: 5 } },
  { name: 'log on disk', sections: 'log: {type: disk}\n', salt: 11, kills: { snapshot: 2, behind: 3 } },
] as const;

describe.each(VARIANTS)(`${NAME} → sqlite, file and mysql ($name)`, ({ sections, salt, kills }) => {
  it.skipIf(programs === null)('loses nothing and repeats nothing, whoever is killed', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using server = await OwnMysql.start(programs as NonNullable<typeof programs>);
    await createMysqlShop(server, ROWS);
    await using sqlite = await sqliteReplica(work, MYSQL_SHOP);
    await using mysql = await mysqlReplica(MYSQL_SHOP);
    const replicas = [sqlite, mysql];
    work.write(
      'chaos.yaml',
      `
name: chaos
source:
  type: mysql
  url: "\${CHAOS_SOURCE}"
  tables: [customers, orders]
  snapshot: {chunk_rows: 20, workers: 2}
  binlog_row_image: MINIMAL
  heartbeat_interval: 500ms
destinations:
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 2MiB}}
${replicas.map((r) => r.yaml()).join('')}
sync: {mode: continuous, batch_size: 100, checkpoint_interval: 100ms}
error_handling: {retry: {initial_delay: 20ms, max_delay: 200ms}, dead_letter_queue: {type: file, path: dead.ndjson}}
${sections}`,
    );
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', salt, { ...mysql.env, CHAOS_SOURCE: server.url });
    let turn = salt;
    const killed = { pipeline: 0, dump: 0, client: 0, server: 0 };
    using writer = await Writer.start('mysql-trade', server.url);

    /** One run: others are killed while it lives, and it outlives them; then itself. */
    const round = async (withinMs: number, awaited?: () => Promise<void>): Promise<void> => {
      const { dice } = victim,
        run = victim.start();
      await victim.moment(run, dice.chance(1 / 4) ? 'start' : 'flow', withinMs);
      await awaited?.();
      for (let n = 1 + dice.int(2); n > 0; n--) {
        const whom = VICTIMS[turn++ % VICTIMS.length] as (typeof VICTIMS)[number];
        if (whom === 'server') {
          server.killAll();
          await sleep(dice.next() * 200);
          if (dice.chance(1 / 3)) run.child.kill('SIGKILL');
          await server.start();
          killed.server++;
        } else if (await server.killThread(whom)) killed[whom]++;
        await sleep(dice.next() * withinMs);
      }
      run.child.kill('SIGKILL');
      const { signal, err } = await run.ended;
      expect(signal, `seed ${SEED}: it outlives its source: ${err.slice(-3000)}`).toBe('SIGKILL');
      killed.pipeline++;
    };

    const rowsRead = (): number => linesOf(work).filter(({ op }) => op === 'r').length;
    let within = 0;
    for (let n = killsOf(kills.snapshot); n > 0; n--) {
      const before = rowsRead();
      // Changes that piled up come before rows: half of the kills wait for some.
      await round(300, n % 2 === 1 ? async () => eventually(() => rowsRead() > before || rowsRead() >= ROWS * TABLES.length) : undefined);
      const rows = rowsRead();
      if (rows > 0 && rows < ROWS * TABLES.length * 0.9) within++;
    }
    expect(within, `seed ${SEED}: kills within the snapshot`).toBeGreaterThan(0);
    await victim.finish('--until-caught-up');
    const since = await sinceNow(server);
    expect(since.rev).toBeGreaterThan(0);
    writer.hurry();
    for (let n = killsOf(kills.behind); n > 0; n--) await round(500);
    const written = await writer.stop();
    await victim.finish('--until-caught-up');
    const nothingNew = await victim.finish('--until-caught-up', '--json');
    console.log(`${victim.describe()}; killed ${JSON.stringify(killed)}, ${within} times within the snapshot; ${written}`);
    expect(JSON.parse(nothingNew.out)).toMatchObject({ outcome: 'done', eventsRead: 0 });
    expect(existsSync(work.path('dead.ndjson'))).toBe(false);
    await expectMysqlShopDelivered(server, linesOf(work), replicas, since);
  });
});

async function eventually(isSo: () => boolean): Promise<void> {
  for (const began = performance.now(); !isSo(); await sleep(20))
    if (performance.now() - began > 180_000) throw new Error(`seed ${SEED}: it did not happen within three minutes`);
}
