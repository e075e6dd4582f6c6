// A turn of the event loop for everybody else.

/**
 * A loop over work that never waits (a driver that blocks, a queue in memory) would keep timers, sockets and signals from their turn for
 * as long as there is work: await this between its steps.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
