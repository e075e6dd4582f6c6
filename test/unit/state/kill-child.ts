// Saves point after point until it is killed. Prints the number of each save once it has resolved.

import { writeSync } from 'node:fs';
import { openStateStore } from '../../../src/state/open.ts';
import { A, laneAt, pointAt } from './store-suite.ts';

const [type, path = ''] = process.argv.slice(2);
const store = await openStateStore({ type: type === 'file' ? 'file' : 'sqlite', path });
await store.acquire('orders', A, 0, 1000);
const { epoch } = await store.load('orders');
for (let n = epoch + 1; ; n++) {
  const transformer = { point: pointAt(n), state: new Uint8Array(3000).fill(n) };
  const delivered = [{ bucket: n % 3, lastMs: n, ids: new Uint8Array(1600).fill(n) }];
  await store.save('orders', A, 1000, { used: true, epoch: n, lanes: { a: laneAt(n), b: laneAt(n) }, transformer, delivered });
  writeSync(1, `${n}\n`);
}
