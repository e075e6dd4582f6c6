// Free ports on loopback.

import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a server that was killed may keep its ports. */
const PATIENCE_MS = 5000;

/** The ports that a server had before, as soon as they are free again: its clients look for it there. Else as `freePort`. */
export async function samePort(before: number | null, first: number, count = 1): Promise<number> {
  for (const until = Date.now() + PATIENCE_MS; before !== null && Date.now() < until; await sleep(50)) {
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(before + i)));
    if (free.every(Boolean)) return before;
  }
  return freePort(first, count);
}

/** The first port from `first` on that nobody listens on, nor on the `count` - 1 behind it. Somebody may take it before we do: starts are tried again. */
export async function freePort(first: number, count = 1): Promise<number> {
  for (let port = first, free = 0; port < first + 100; port++) {
    free = (await isFree(port)) ? free + 1 : 0;
    if (free === count) return port - count + 1;
  }
  throw new Error(`no free port between ${first} and ${first + 99}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
