// SIGTERM and SIGINT at random moments: the pipeline drains and ends with 0, and the next run repeats nothing. A second signal
// ends it at once, which is no worse than SIGKILL.

import { describe, expect, it } from 'vitest';
import { changeOf, expectEachOnce, linesOf, openDatabase, replayed } from './evidence.ts';
import { createShop, historyOf, TABLES } from './shop.ts';
import { chaosFolder, killsOf, rotatedLines, SEED, TIMEOUT_MS, Victim, Writer } from './victim.ts';

describe('one signal', () => {
  it('drains, says how much was delivered, and ends with 0; the next run repeats nothing', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    work.write(
      'chaos.yaml',
      `
name: chaos
source: {type: sqlite, path: shop.db, tables: [customers, orders], poll_interval: 5ms}
destinations:
  - {name: replica, type: sqlite, path: replica.db}
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain}
sync: {mode: continuous, batch_size: 40}
`,
    );
    using shop = openDatabase(work.path('shop.db'));
    createShop(shop.db, 500);
    const victim = new Victim(work, ['chaos.yaml', '--json'], 'out/changes.ndjson', 3);
    using writer = await Writer.start('writer', work.path('shop.db'));
    writer.hurry();

    for (let n = killsOf(3); n > 0; n--) {
      const before = linesOf(work).length;
      const run = victim.start();
      await victim.moment(run, n % 3 === 0 ? 'start' : 'flow', 300);
      run.child.kill(n % 2 === 0 ? 'SIGTERM' : 'SIGINT');
      const { code, signal, out, err } = await run.ended;
      const delivered = linesOf(work).length - before;
      // Before anything is loaded there is nobody who listens to signals, and nothing to drain.
      if (signal !== null) {
        expect([delivered, out, err], `seed ${SEED}: killed by ${signal}`).toEqual([0, '', '']);
        continue;
      }
      expect(code, `seed ${SEED}: ${out}${err}`).toBe(0);
      const summary = JSON.parse(out) as { eventsRead: number; destinations: { delivered: number }[] };
      expect(summary, `seed ${SEED}`).toMatchObject({ ok: true, outcome: 'stopped', deadLetters: 0 });
      expect(
        summary.destinations.map((d) => d.delivered),
        `seed ${SEED}`,
      ).toEqual([delivered, delivered]);
      expect(summary.eventsRead, `seed ${SEED}`).toBe(delivered);
    }
    await writer.stop();
    await victim.finish('--until-caught-up');

    const lines = linesOf(work),
      streamed = lines.filter(({ op }) => op !== 'r');
    using replica = openDatabase(work.path('replica.db'));
    expectEachOnce(lines);
    expect(streamed.map(changeOf)).toEqual(historyOf(shop.db).slice(-streamed.length));
    for (const table of TABLES) {
      const rows = shop.db.prepare(`SELECT * FROM ${table} ORDER BY id`).all();
      expect(replayed(lines, table)).toEqual(rows);
      expect(replica.db.prepare(`SELECT * FROM ${table} ORDER BY id`).all()).toEqual(rows);
    }
  });
});

describe('a second signal', () => {
  it('ends with 130 while much is still to be drained, and nothing is lost or repeated by it', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    // Read much faster than written, in small batches: the drain takes longer than anybody waits.
    work.write(
      'chaos.yaml',
      `
name: chaos
source: {type: generator, event_time: sequence}
destination: {type: file, path: out/changes.ndjson, envelope: plain}
sync: {mode: continuous, batch_size: 10}
`,
    );
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', 4);
    for (let n = killsOf(2); n > 0; n--) {
      const run = victim.start();
      await victim.moment(run, 'flow', 200);
      run.child.kill('SIGINT');
      await run.until(/"msg":"stopping"/);
      run.child.kill(n % 2 === 0 ? 'SIGINT' : 'SIGTERM');
      expect((await run.ended).code, `seed ${SEED}`).toBe(n % 2 === 0 ? 130 : 143);
    }
    expect((await victim.finish('--limit', '10', '--json')).code).toBe(0);

    const ids = rotatedLines(work, 'out', 'changes').map((line) => (JSON.parse(line) as { id: string }).id);
    expect(ids.length).toBeGreaterThan(10);
    expect(ids.filter((id, i) => Number(id.split('/').at(-1)) !== i + 1)).toEqual([]);
  });
});
