// Ports for servers of a test's own. One that is killed must find its port free when it comes back: so none is given twice in a
// process, each process looks in a place of its own, and all are below those that the system gives to clients.

import { freePort } from '../../scripts/services/ports.ts';

const FIRST = 20_000;
const PLACES = 120;
const PORTS_OF_A_PLACE = 100;

/** Where the next one is looked for. */
let next = Promise.resolve(FIRST + (process.pid % PLACES) * PORTS_OF_A_PLACE);

/** The first of `count` ports, one behind the other. */
export function ownPorts(count = 1): Promise<number> {
  const found = next.then((first) => freePort(first, count));
  next = found.then((port) => port + count);
  return found;
}
