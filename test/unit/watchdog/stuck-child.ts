// Starts the watchdog and blocks in the way it is told, for the tests beside it. argv: module of the watchdog, way, limit in ms, format

import { execSync } from 'node:child_process';
import type { startWatchdog as Start } from '../../../src/watchdog/watchdog.ts';

const [, , module = '', way = '', limitMs = '', format = 'pretty'] = process.argv;
const { startWatchdog } = (await import(module)) as { startWatchdog: typeof Start };
const watchdog = startWatchdog({
  limitMs: Number(limitMs),
  intervalMs: 50,
  names: ['mask', 'my "loop"'],
  format: format as 'pretty' | 'json',
});
process.on('exit', () => {
  for (;;);
});
process.on('SIGTERM', () => undefined);

/** Busy for so many milliseconds. */
const work = (ms: number): void => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

const ways: Record<string, () => void> = {
  loop: () => {
    for (;;);
  },
  'loop that catches everything': () => {
    for (;;)
      try {
        for (;;);
      } catch {
        /* go on */
      } finally {
        /* go on */
      }
  },
  'regular expression': () => {
    /^(a+)+$/.test(`${'a'.repeat(60)}b`);
  },
  lock: () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  'native call': () => {
    execSync('sleep 20');
  },
};

if (way === 'many short calls') {
  for (let i = 0; i < 60; i++) {
    watchdog.enter(1);
    work(20);
    watchdog.leave();
  }
} else if (way === 'long work outside of plugins') {
  watchdog.enter(0);
  watchdog.leave();
  work(1200);
} else {
  // Time for the thread to start: in a pipeline it has the connection's.
  await new Promise((resolve) => {
    setTimeout(resolve, 100);
  });
  watchdog.enter(1);
  ways[way]?.();
}
process.removeAllListeners('exit');
await watchdog.stop();
console.log('came through');
