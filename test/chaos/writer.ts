// Another program that writes to the shop until its stdin is closed.

import Database from 'better-sqlite3';
import { diceOf } from '../simulation/random.ts';
import { Trade } from './shop.ts';

const [, , path = '', seed = '1'] = process.argv;
const db = new Database(path, { timeout: 20_000 });
db.pragma('synchronous = OFF'); // this program is never killed
const dice = diceOf(Number(seed));
const trade = new Trade(db, dice);

let open = true;
process.stdin.on('end', () => { open = false; }).resume();
process.stdout.write('writing\n');
let changes = 0;
while (open) {
  changes += trade.step();
  await new Promise((resolve) => setTimeout(resolve, dice.int(6)));
}
db.close();
process.stdout.write(`${changes} changes\n`);
