// Another program that writes to the shop in PostgreSQL until its stdin is closed: some connections, each with rows of its own,
// so that a row's revisions are numbered in the order of their commits. A server that is killed is waited for.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Dice, diceOf } from '../simulation/random.ts';
import { TABLES } from './shop.ts';

const [, , url = '', seed = '1'] = process.argv;
const WRITERS = 4;

/** While the snapshot is read, changes that pile up between two runs must not take longer than a run lives. */
let pauseMs = 600;
let open = true;
process.stdin
  .on('data', () => {
    pauseMs = 15;
  })
  .on('end', () => {
    open = false;
  });

/** One in two is large, and stored apart: an update of other columns does not send it. */
const note = (dice: Dice): string => (dice.chance(1 / 2) ? `repeat(md5(random()::text), ${100 + dice.int(40)})` : `'näte'`);

/** Statements of one change, on rows of writer `n` alone. */
function change(dice: Dice, n: number): string {
  const table = dice.pick(TABLES),
    kind = dice.next();
  const mine = `id % ${WRITERS} = ${n}`;
  const some = (count: number): string => `id IN (SELECT id FROM ${table} WHERE ${mine} ORDER BY random() LIMIT ${count})`;
  if (kind < 0.3)
    return `INSERT INTO ${table} SELECT nextval('ids') * ${WRITERS} + ${n}, 'näme', ${dice.int(100)}, nextval('revs'), ${note(dice)}
      FROM generate_series(1, ${1 + dice.int(5)})`;
  if (kind < 0.55) return `UPDATE ${table} SET credit = credit + 1, rev = nextval('revs') WHERE ${some(1 + dice.int(5))}`;
  if (kind < 0.7) return `UPDATE ${table} SET note = ${note(dice)}, rev = nextval('revs') WHERE ${some(2)}`;
  if (kind < 0.82) return `DELETE FROM ${table} WHERE ${some(1 + dice.int(4))}`;
  // To a new key, with and without the large value, and back to the key of a row that is gone.
  if (kind < 0.9) return `UPDATE ${table} SET id = nextval('ids') * ${WRITERS} + ${n}, rev = nextval('revs') WHERE ${some(1)}`;
  return `INSERT INTO ${table} SELECT h.id, 'again', 0, nextval('revs'), ${note(dice)} FROM history h
      WHERE tbl = '${table}' AND op = 'd' AND ${mine.replace('id', 'h.id')} AND NOT EXISTS (SELECT FROM ${table} t WHERE t.id = h.id)
      ORDER BY random() LIMIT 1`;
}

async function transaction(client: pg.Client, dice: Dice, n: number): Promise<void> {
  const changes = Array.from({ length: 1 + dice.int(6) }, () => change(dice, n));
  if (dice.chance(1 / 10)) changes.push(`SAVEPOINT s; ${change(dice, n)}; ROLLBACK TO s`);
  if (dice.chance(1 / 150)) changes.unshift(`TRUNCATE ${dice.pick(TABLES)}`);
  await client.query('BEGIN');
  for (const statement of changes) {
    await client.query(statement);
    if (dice.chance(1 / 10)) await sleep(dice.int(60));
  }
  await client.query(dice.chance(1 / 12) ? 'ROLLBACK' : 'COMMIT');
}

let transactions = 0;
async function writer(n: number): Promise<void> {
  const dice = diceOf(Number(seed) + n);
  let client: pg.Client | null = null;
  while (open) {
    try {
      if (client === null) {
        client = new pg.Client({ connectionString: url });
        client.on('error', () => undefined);
        await client.connect();
      }
      await transaction(client, dice, n);
      transactions++;
      await sleep(dice.int(pauseMs));
    } catch (error) {
      await client?.end().catch(() => undefined);
      client = null;
      // A deadlock is rolled back; anything but that and a server that is away is a fault of this program.
      const code = String((error as { code?: unknown }).code);
      if (!/^(57P0|ECONN|EPIPE|08|40P01|undefined)/.test(code)) throw error;
      await sleep(30);
    }
  }
  await client?.end();
}

process.stdout.write('writing\n');
await Promise.all(Array.from({ length: WRITERS }, (_, n) => writer(n)));
process.stdout.write(`${transactions} transactions\n`);
