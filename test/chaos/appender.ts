// Another program that appends records to a file until its stdin is closed, in pieces that end anywhere, and now and then
// renames the file and goes on with a new one, as logrotate does. Each record has a number; none is written twice.

import { appendFileSync, renameSync } from 'node:fs';
import { diceOf } from '../simulation/random.ts';

const [, , path = '', seed = '1'] = process.argv;
const dice = diceOf(Number(seed));

let pauseMs = 30;
let open = true;
/** Not before the reader has a place: a file that was rotated away before anybody looked is nobody's to find. */
let rotates = false;
process.stdin
  .on('data', () => {
    pauseMs = 4;
    rotates = true;
  })
  .on('end', () => {
    open = false;
  });

let written = 0;
let rotated = 0;
/** Some records, whole at their end: what a rotated file ends with is a whole line. */
async function append(): Promise<void> {
  const lines = Array.from({ length: 1 + dice.int(20) }, () => `${JSON.stringify({ id: ++written, note: 'ä'.repeat(dice.int(80)) })}\n`);
  const bytes = Buffer.from(lines.join(''));
  const cut = dice.int(bytes.length);
  appendFileSync(path, bytes.subarray(0, cut));
  await pause();
  appendFileSync(path, bytes.subarray(cut));
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, dice.int(pauseMs)));

await append();
process.stdout.write('writing\n');
while (open) {
  await append();
  if (rotates && dice.chance(1 / 40)) renameSync(path, path.replace('.ndjson', `.${++rotated}.ndjson`));
  await pause();
}
await append(); // so that there is a file at the end
process.stdout.write(`${written} records, ${rotated} rotations\n`);
