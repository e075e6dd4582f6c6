// The server of a destination is killed under load, again and again, and sometimes the pipeline with it: what was committed,
// and only that, is in the replica, also where the answer to COMMIT was lost.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Started } from '../e2e/process.ts';
import { linesOf, newestId, openDatabase } from './evidence.ts';
import { findPostgres, OwnPostgres } from './own-postgres.ts';
import { postgresReplica } from './replicas.ts';
import { createShop, SHOP } from './shop.ts';
import { expectShopDelivered } from './shop-evidence.ts';
import { chaosFolder, killsOf, SEED, TIMEOUT_MS, Victim, Writer } from './victim.ts';

const programs = await findPostgres();
const KILLS_PER_RUN = 3;

describe('sqlite → postgresql that is killed', () => {
  it.skipIf(programs === null)('loses nothing and repeats nothing', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using server = await OwnPostgres.start(programs as NonNullable<typeof programs>);
    using shop = openDatabase(work.path('shop.db'));
    createShop(shop.db, 2000);
    await using replica = await postgresReplica(SHOP, server);
    work.write(
      'chaos.yaml',
      `
name: chaos
source: {type: sqlite, path: shop.db, tables: [customers, orders], poll_interval: 5ms}
destinations:
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain}
${replica.yaml(', error_handling: {retry: {initial_delay: 20ms, max_delay: 100ms}}')}
sync: {mode: continuous, batch_size: 20, checkpoint_interval: 100ms}
log: {type: disk}
error_handling: {dead_letter_queue: {type: file, path: dead.ndjson}}
`,
    );
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', 7, replica.env);
    using writer = await Writer.start('writer', work.path('shop.db'));
    const killed = { postmaster: 0, backend: 0, pipeline: 0, afterCommit: 0 };

    const moreIn = async (run: Started): Promise<void> => {
      const before = (await replica.effects()).length;
      while ((await replica.effects()).length === before && run.child.exitCode === null) await sleep(10);
    };
    /** One run, in which the server is killed some times, and at the end or while the server is away the pipeline. */
    const round = async ({ dice }: Victim): Promise<void> => {
      const run = victim.start();
      // Only a kill amid writes tells anything.
      await moreIn(run);
      const whileAway = dice.chance(1 / 2);
      for (let kill = 1; kill <= KILLS_PER_RUN; kill++) {
        await sleep(dice.next() * 250);
        if (dice.chance(1 / 2)) {
          await server.holdAnswers();
          await sleep(dice.next() * 50);
          killed.afterCommit++;
        }
        if (dice.chance(1 / 3) && (await server.killBackend())) killed.backend++;
        else {
          server.killAll();
          killed.postmaster++;
        }
        if (dice.chance(1 / 2)) await sleep(dice.next() * 300);
        if (kill === KILLS_PER_RUN && whileAway) run.child.kill('SIGKILL');
        await server.start();
      }
      if (!whileAway) {
        await moreIn(run);
        run.child.kill('SIGKILL');
      }
      const { signal, err } = await run.ended;
      expect(signal, `seed ${SEED}: it outlives its destination: ${err}`).toBe('SIGKILL');
      killed.pipeline++;
    };
    await round(victim);
    await victim.finish('--until-caught-up');
    const lastId = newestId(shop.db);
    writer.hurry();
    for (let n = killsOf(1); n > 0; n--) await round(victim);
    const written = await writer.stop();
    await victim.finish('--until-caught-up');
    console.log(`seed ${SEED}: killed ${JSON.stringify(killed)}; ${written}`);
    await expectShopDelivered(shop.db, linesOf(work), [replica], lastId);
  });
});
