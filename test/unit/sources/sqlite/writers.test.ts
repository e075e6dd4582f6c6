// Other processes write while the source reads: in both kinds of journal, with and without recursive triggers.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ChangeEvent, systemClock } from '../../../../src/sdk/index.ts';
import { eventsOf, NOTHING, Replica, rowsOf, type Stored, TestClock, World } from './harness.ts';

/** Two processes contend for locks in real time. */
class RealClock extends TestClock {
  override now(): number {
    return systemClock.now();
  }
  override sleep(ms: number): Promise<void> {
    return systemClock.sleep(ms);
  }
}

const WRITER = `
import Database from 'better-sqlite3';
const [path, seed, recursive] = process.argv.slice(1), db = new Database(path, { timeout: 20_000 });
db.pragma('synchronous = off');
db.pragma('recursive_triggers = ' + recursive);
let n = Number(seed);
const roll = (max) => { n = (n * 16807) % 2147483647; return n % max; };
for (let i = 0; i < 150; i++) {
  db.exec('BEGIN IMMEDIATE');
  for (let j = 0; j < 4; j++) {
    const id = roll(40), u = roll(60);
    db.exec([\`REPLACE INTO items VALUES (\${id}, \${u}, \${i})\`, \`UPDATE OR REPLACE items SET u = \${u} WHERE id = \${id}\`, \`DELETE FROM items WHERE id = \${id}\`,
      \`INSERT OR IGNORE INTO items VALUES (\${id}, \${u}, \${i})\`, \`UPDATE items SET v = v + 1 WHERE id < \${id}\`][roll(5)]);
  }
  db.exec(roll(8) === 0 ? 'ROLLBACK' : 'COMMIT');
}
`;

let world: World;
beforeEach(() => {
  world = new World(new RealClock());
});
afterEach(() => {
  world.close();
});

describe.each([['wal'], ['delete']])('with writers in other processes and journal_mode %s', (journal) => {
  it('every change is read once, and the events add up to the table', async () => {
    const db = world.db();
    db.pragma(`journal_mode = ${journal}`);
    db.exec(
      'CREATE TABLE items (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, v INTEGER); INSERT INTO items VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0)',
    );
    const writers = ['on', 'off'].map((recursive, i) =>
      spawn(process.execPath, ['--input-type=module', '-e', WRITER, world.path, String(i + 1), recursive], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
    const ended = Promise.all(writers.map((w) => once(w, 'exit')));
    let running = true;
    void ended.then(() => {
      running = false;
    });
    const events: ChangeEvent[] = [];
    let stored: Stored = NOTHING;
    while (running) {
      const run = await world.run(stored, { ctx: { maxBatchEvents: 7 }, config: { busy_timeout: 20_000 } });
      events.push(...eventsOf(run.batches));
      stored = run.stored;
    }
    expect((await ended).map(([code]) => code as unknown)).toEqual([0, 0]);
    events.push(...eventsOf((await world.run(stored)).batches));
    expect(new Set(events.map((e) => e.id)).size).toBe(events.length);
    expect(events.filter((e) => e.op !== 'r').length).toBeGreaterThan(500);
    expect(new Replica().apply(events).rows('items')).toEqual(rowsOf(db, 'items'));
  }, 60_000);
});

describe('a lock of another program', () => {
  it('is waited for without stopping the process, then told as an error that may pass', async () => {
    const db = world.db();
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY)');
    const { stored } = await world.run();
    db.exec('BEGIN EXCLUSIVE');
    await expect(world.run(stored, { config: { busy_timeout: 60 } })).rejects.toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    setTimeout(() => {
      db.exec('INSERT INTO items VALUES (1); COMMIT');
    }, 50);
    const { batches } = await world.run(stored, { config: { busy_timeout: 20_000 } });
    expect(
      eventsOf(
        (await world.run(batches.at(-1) === undefined ? stored : { ...stored, positions: { main: batches.at(-1)?.resume as never } }))
          .batches,
      ).length + eventsOf(batches).length,
    ).toBe(1);
  });
});
