// Saves point after point until it is killed. Prints the number of each save once it has resolved.

import { writeSync } from 'node:fs';
import { openSqliteStateStore } from '../../../src/state/sqlite-store.ts';
import { A, laneAt, pointAt } from './contract.ts';

const store = await openSqliteStateStore(process.argv[2] ?? '');
await store.acquire('orders', A, 0, 1000);
const { epoch } = await store.load('orders');
for (let n = epoch + 1; ; n++) {
  const transformer = { point: pointAt(n), state: new Uint8Array(3000).fill(n) };
  await store.save('orders', A, 1000, { used: true, epoch: n, lanes: { a: laneAt(n), b: laneAt(n) }, transformer });
  writeSync(1, `${n}\n`);
}
