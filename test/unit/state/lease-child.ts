// Raises the epoch by one, so many times, each time under a lease of its own. Whoever reads an old epoch under the lease, or loses
// a save, leaves a number that is too low.

import { openStateStore } from '../../../src/state/open.ts';

const [type, path = '', owner = '', rounds = ''] = process.argv.slice(2);
const store = await openStateStore({ type: type === 'file' ? 'file' : 'sqlite', path });
for (let done = 0; done < Number(rounds); ) {
  const lease = await store.acquire('orders', owner, Date.now(), Date.now() + 60_000);
  if (lease.owner !== owner) continue;
  const { epoch } = await store.load('orders');
  await store.save('orders', owner, Date.now() + 60_000, { epoch: epoch + 1 });
  await store.release('orders', owner);
  done++;
}
await store.close();
