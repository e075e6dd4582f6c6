// Puts two letters at a time until it is killed. Prints the number of the last one once their put has resolved.

import { writeSync } from 'node:fs';
import { openFileDeadLetterQueue } from '../../../src/dead-letters/file-queue.ts';
import { letter } from './samples.ts';

const queue = openFileDeadLetterQueue(process.argv[2] ?? '');
for (let n = 2; ; n += 2) {
  await queue.put([letter(n - 1), letter(n, { input: 'x'.repeat(20_000) })]);
  writeSync(1, `${n}\n`);
}
