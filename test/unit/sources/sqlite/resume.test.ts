// Whatever an application does between the batches, wherever the source is killed, and from whichever stored point it
// goes on: the events add up to the tables.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../../../src/sdk/index.ts';
import { type Db, NOTHING, Replica, rowsOf, type Stored, storedAfter, text, World } from './harness.ts';

const RUNS = Number(process.env['FUZZ'] ?? 10);
const TABLES = ['plain', 'named', 'pairs'];
const DDL = `CREATE TABLE plain (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, n INTEGER);
  CREATE TABLE named (name TEXT NOT NULL PRIMARY KEY, n INTEGER);
  CREATE TABLE pairs (a INTEGER, b TEXT, n INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;`;

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => {
  world.close();
});

type Dice = (n: number) => number;
function dice(seed: number): Dice {
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
  };
}

/** Every write of a row gives it a greater `n`. */
let now = 0;
function trade(db: Db, roll: Dice): void {
  const statement = (): string => {
    const id = roll(30),
      name = `'n${roll(30)}'`,
      n = ++now;
    const statements = [
      `REPLACE INTO plain VALUES (${id}, ${roll(40)}, ${n})`,
      `UPDATE OR REPLACE plain SET u = ${roll(40)}, n = ${n} WHERE id = ${id}`,
      `UPDATE OR IGNORE plain SET id = ${roll(30)}, n = ${n} WHERE id = ${id}`,
      `DELETE FROM plain WHERE id = ${id}`,
      `DELETE FROM plain WHERE id > ${roll(30)} AND id < ${roll(30)}`,
      `INSERT INTO named VALUES (${name}, ${n}) ON CONFLICT DO UPDATE SET n = excluded.n`,
      `UPDATE OR REPLACE named SET name = 'n${roll(30)}', n = ${n} WHERE name = ${name}`,
      `DELETE FROM named WHERE name = ${name}`,
      `REPLACE INTO pairs VALUES (${id % 5}, ${name}, ${n})`,
      `UPDATE pairs SET n = ${n} WHERE a = ${id % 5}`,
      `DELETE FROM pairs WHERE b = ${name}`,
    ];
    return statements[roll(statements.length)] as string;
  };
  db.transaction(() => {
    for (let i = 0; i <= roll(4); i++) db.exec(statement());
  })();
}

/** Progress of one chain of runs: what was emitted up to each stored point. */
interface Mark {
  readonly stored: Stored;
  readonly events: readonly ChangeEvent[];
}

/** `repeats`: the destination cannot tell what it has, so events after the resumed point come to it twice. */
async function play(roll: Dice, repeats: boolean): Promise<{ events: readonly ChangeEvent[]; db: Db }> {
  const db = world.db();
  db.pragma('journal_mode = wal');
  db.exec(DDL);
  for (let i = 0; i < 40; i++) trade(db, roll);
  let marks: Mark[] = [{ stored: NOTHING, events: [] }];
  const last = (): Mark => marks.at(-1) as Mark;
  for (let run = 0; run < 8; run++) {
    const source = await world.source({}, 'shop', 1 + roll(1000)),
      isFinal = run === 7;
    const until = { partitions: await source.end(), snapshots: [] };
    const ctx = world.context(last().stored, until, { maxBatchEvents: 1 + roll(9), maxBatchBytes: roll(3) === 0 ? 700 : 1 << 20 });
    for await (const batch of source.read(ctx, new AbortController().signal)) {
      marks.push({ stored: storedAfter(last().stored, batch), events: [...last().events, ...batch.events] });
      if (isFinal) continue;
      if (roll(3) === 0) trade(db, roll);
      if (roll(12) === 0) {
        await source.acknowledge(last().stored.positions);
        marks = [last()];
      }
      if (roll(10) === 0) break;
    }
    await source.close();
    if (isFinal) break;
    // Killed: the destination holds any of the points, or has had more than it remembers.
    const kept = marks[roll(marks.length)] as Mark;
    marks = [{ stored: kept.stored, events: repeats ? last().events : kept.events }];
    for (let i = 0; i < roll(3); i++) trade(db, roll);
  }
  return { events: last().events, db };
}

/** Keys that were sent in a state older than one sent before. */
function goneBack(events: readonly ChangeEvent[]): string[] {
  const newest = new Map<string, bigint>();
  return events.flatMap((e) => {
    const n = e.get(e.op === 'd' ? 'before' : 'after', 'n') as bigint,
      key = `${e.table.id.table} ${text(e.key)}`,
      before = newest.get(key) ?? 0n;
    newest.set(key, n);
    return n < before ? [`${key}: ${n} after ${before}`] : [];
  });
}

describe.each([
  ['at a point that the destination holds', false],
  ['before what the destination has had', true],
])('going on %s', (_, repeats) => {
  it('gives the tables, and no row that is older than one that was sent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        world.close();
        world = new World();
        const { events, db } = await play(dice(seed), repeats),
          replica = new Replica().apply(events);
        for (const table of TABLES) expect(replica.rows(table), table).toEqual(rowsOf(db, table));
        if (!repeats) expect(goneBack(events)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });
});
