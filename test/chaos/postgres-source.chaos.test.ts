// PostgreSQL as source, under load of several writers: the pipeline, its walsender and the whole server are killed at random
// moments, in the snapshot and behind it.

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { skipReason } from '../helpers/postgres.ts';
import { linesOf } from './evidence.ts';
import { findPostgres, OwnPostgres } from './own-postgres.ts';
import { createPostgresShop, expectPostgresShopDelivered, POSTGRES_SHOP, type Since } from './postgres-shop.ts';
import { postgresReplica, sqliteReplica } from './replicas.ts';
import { TABLES } from './shop.ts';
import { chaosFolder, killsOf, SEED, TIMEOUT_MS, Victim, Writer } from './victim.ts';

const programs = (await skipReason()) === null ? await findPostgres() : null;
const ROWS = 4000;
const VICTIMS = ['terminated', 'walsender', 'server'] as const;

const VARIANTS = [
  { name: 'log in memory', sections: '', salt: 8, kills: { snapshot: 4, behind: 5 } },
  { name: 'log on disk', sections: 'log: {type: disk}\n', salt: 9, kills: { snapshot: 2, behind: 3 } },
] as const;

describe.each(VARIANTS)('postgresql → sqlite, file and postgresql ($name)', ({ sections, salt, kills }) => {
  it.skipIf(programs === null)('loses nothing and repeats nothing, whoever is killed', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using server = await OwnPostgres.start(programs as NonNullable<typeof programs>);
    await createPostgresShop(server, ROWS);
    await using sqlite = await sqliteReplica(work, POSTGRES_SHOP);
    await using postgres = await postgresReplica(POSTGRES_SHOP);
    const replicas = [sqlite, postgres];
    work.write(
      'chaos.yaml',
      `
name: chaos
source:
  type: postgresql
  url: "\${CHAOS_SOURCE}"
  tables: [customers, orders]
  snapshot: {chunk_rows: 20, workers: 2}
  status_interval: 200ms
destinations:
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 2MiB}}
${replicas.map((r) => r.yaml()).join('')}
sync: {mode: continuous, batch_size: 100, checkpoint_interval: 100ms}
error_handling: {retry: {initial_delay: 20ms, max_delay: 200ms}, dead_letter_queue: {type: file, path: dead.ndjson}}
${sections}`,
    );
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', salt, { ...postgres.env, CHAOS_SOURCE: server.url });
    let turn = salt;
    const killed = { pipeline: 0, terminated: 0, walsender: 0, server: 0 };
    using writer = await Writer.start('postgres-trade', server.url);

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
        } else if (await (whom === 'terminated' ? server.terminate('walsender') : server.killBackend('walsender'))) killed[whom]++;
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
    const [since] = await server.query<Since>('SELECT pg_current_wal_insert_lsn()::text AS lsn, last_value::float8 AS rev FROM revs');
    writer.hurry();
    for (let n = killsOf(kills.behind); n > 0; n--) await round(500);
    const written = await writer.stop();
    await victim.finish('--until-caught-up');
    const nothingNew = await victim.finish('--until-caught-up', '--json');
    console.log(`${victim.describe()}; killed ${JSON.stringify(killed)}, ${within} times within the snapshot; ${written}`);
    expect(JSON.parse(nothingNew.out)).toMatchObject({ outcome: 'done', eventsRead: 0 });
    expect(existsSync(work.path('dead.ndjson'))).toBe(false);
    await expectPostgresShopDelivered(server, linesOf(work), replicas, since as Since);
  });
});

async function eventually(isSo: () => boolean): Promise<void> {
  for (const began = performance.now(); !isSo(); await sleep(20))
    if (performance.now() - began > 180_000) throw new Error(`seed ${SEED}: it did not happen within three minutes`);
}
