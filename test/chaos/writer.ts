// Another program that writes to the shop until its stdin is closed: at leisure first, and without pause between its transactions
// to speak of once it is told to hurry.

import Database from 'better-sqlite3';
import { diceOf } from '../simulation/random.ts';
import { Trade } from './shop.ts';

const [, , path = '', seed = '1'] = process.argv;
const db = new Database(path, { timeout: 20_000 });
db.pragma('synchronous = OFF'); // this program is never killed
const dice = diceOf(Number(seed));
const trade = new Trade(db, dice);

/** While the snapshot is read, changes that pile up between two runs must not take longer than a run lives. */
let pauseMs = 300;
let open = true;
process.stdin
  .on('data', () => {
    pauseMs = 6;
  })
  .on('end', () => {
    open = false;
  });
process.stdout.write('writing\n');
let changes = 0;
while (open) {
  changes += trade.step();
  await new Promise((resolve) => setTimeout(resolve, dice.int(pauseMs)));
}
db.close();
process.stdout.write(`${changes} changes\n`);
