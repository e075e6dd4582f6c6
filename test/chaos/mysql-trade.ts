// Another program that writes to the shop in MySQL until its stdin is closed: some connections, each with rows of its own, so that a
// row's revisions are numbered in the order of their commits. A server that is killed is waited for.

import { setTimeout as sleep } from 'node:timers/promises';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { type Dice, diceOf } from '../simulation/random.ts';
import { TABLES } from './shop.ts';

const [, , address = '', seed = '1'] = process.argv;
const WRITERS = 4;
const url = new URL(address);

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

let lastId = 100_000,
  lastRev = 0;

/** One in two is large. */
const note = (dice: Dice): string => (dice.chance(1 / 2) ? `REPEAT(MD5(RAND()), ${100 + dice.int(40)})` : `'näte'`);

/** Of writer `n`, without locks: those of an UPDATE that looks for rows would be on all rows. */
async function some(connection: Connection, sql: string): Promise<string> {
  const [rows] = await connection.query<RowDataPacket[]>(sql);
  return ['-1', ...rows.map((row) => String(row['id']))].join(', ');
}

/** One change, on rows of writer `n` alone. Only `customers` have images without all columns. */
async function change(connection: Connection, dice: Dice, n: number): Promise<string> {
  const table = dice.pick(TABLES),
    kind = dice.next(),
    rev = ++lastRev,
    mine = `MOD(id, ${WRITERS}) = ${n}`;
  const image = table === 'customers' ? dice.pick(['FULL', 'MINIMAL', 'NOBLOB']) : 'FULL';
  const set = `SET SESSION binlog_row_image = '${image}'; `;
  const ids = (count: number): Promise<string> => some(connection, `SELECT id FROM ${table} WHERE ${mine} ORDER BY RAND() LIMIT ${count}`);
  if (kind < 0.3) {
    const values = Array.from(
      { length: 1 + dice.int(5) },
      () => `(${++lastId * WRITERS + n}, 'näme', ${dice.int(100)}, ${rev}, ${note(dice)})`,
    );
    return `${set}INSERT INTO ${table} VALUES ${values.join(', ')}`;
  }
  if (kind < 0.55) return `${set}UPDATE ${table} SET credit = credit + 1, rev = ${rev} WHERE id IN (${await ids(1 + dice.int(5))})`;
  if (kind < 0.7) return `${set}UPDATE ${table} SET note = ${note(dice)}, rev = ${rev} WHERE id IN (${await ids(2)})`;
  if (kind < 0.82) return `${set}DELETE FROM ${table} WHERE id IN (${await ids(1 + dice.int(4))})`;
  // To a new key, with and without the large value, and back to the key of a row that is gone.
  if (kind < 0.9) return `${set}UPDATE ${table} SET id = ${++lastId * WRITERS + n}, rev = ${rev} WHERE id IN (${await ids(1)})`;
  const gone = `SELECT h.id FROM history h WHERE tbl = '${table}' AND op = 'd' AND MOD(h.id, ${WRITERS}) = ${n}
    AND NOT EXISTS (SELECT 1 FROM ${table} t WHERE t.id = h.id) ORDER BY RAND() LIMIT 1`;
  const id = (await some(connection, gone)).split(', ')[1];
  return id === undefined ? 'DO 0' : `${set}INSERT INTO ${table} VALUES (${id}, 'again', 0, ${rev}, ${note(dice)})`;
}

async function transaction(connection: Connection, dice: Dice, n: number): Promise<void> {
  if (dice.chance(1 / 150)) await connection.query(`TRUNCATE TABLE ${dice.pick(TABLES)}`);
  await connection.query('START TRANSACTION');
  for (let left = 1 + dice.int(6); left > 0; left--) {
    await connection.query(await change(connection, dice, n));
    if (dice.chance(1 / 10)) await sleep(dice.int(60));
  }
  if (dice.chance(1 / 10)) await connection.query(`SAVEPOINT s; ${await change(connection, dice, n)}; ROLLBACK TO SAVEPOINT s`);
  await connection.query(dice.chance(1 / 12) ? 'ROLLBACK' : 'COMMIT');
}

async function connect(): Promise<Connection> {
  const connection = await mysql.createConnection({
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: url.password,
    database: url.pathname.slice(1),
    multipleStatements: true,
  });
  connection.on('error', () => undefined);
  await connection.query(
    'SET SESSION lock_wait_timeout = 3, innodb_lock_wait_timeout = 3; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  );
  return connection;
}

/** A deadlock, and a wait that was too long, are rolled back with their connection; so is what a kill interrupted. */
const PASSING =
  /^(ECONN|EPIPE|PROTOCOL_|ER_LOCK_DEADLOCK|ER_LOCK_WAIT_TIMEOUT|ER_SERVER_SHUTDOWN|ER_QUERY_INTERRUPTED|ER_CONNECTION_KILLED|ER_CHECKREAD|undefined)/;

let transactions = 0;
async function writer(n: number): Promise<void> {
  const dice = diceOf(Number(seed) + n);
  let connection: Connection | null = null;
  while (open) {
    try {
      connection ??= await connect();
      await transaction(connection, dice, n);
      transactions++;
      await sleep(dice.int(pauseMs));
    } catch (error) {
      connection?.destroy();
      connection = null;
      // Anything but that and a server that is away is a fault of this program.
      if (!PASSING.test(String((error as { code?: unknown }).code))) throw error;
      await sleep(30);
    }
  }
  connection?.destroy();
}

process.stdout.write('writing\n');
await Promise.all(Array.from({ length: WRITERS }, (_, n) => writer(n)));
process.stdout.write(`${transactions} transactions\n`);
