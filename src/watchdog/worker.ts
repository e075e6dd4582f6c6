// The watchdog's thread: looks once per interval whether the same call of a plugin still runs. It sleeps in between without
// an event loop, and loads what it needs to end the process only then.
//
// This file keeps to what is JavaScript as well as TypeScript, and imports nothing of ours: see `workerUrl` beside it.

import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/** How long the main thread has to end by itself before it is killed. */
const GRACE_MS = 2000;

const { memory, running, calls, stop, limitMs, intervalMs, lines } = workerData;
const cells = new Int32Array(memory);

/**
 * `process.exit` of a worker ends the worker alone. But its inspector session reaches into the main thread between two
 * steps of the stuck JavaScript, endless loops included, and the exit code is ours.
 * https://nodejs.org/api/inspector.html#sessionconnecttomainthread
 */
const exitFromInside = async () => {
  try {
    const { Session } = await import('node:inspector');
    const session = new Session();
    session.connectToMainThread();
    // Listeners for exit could hang in their turn. Stderr is closed because Node.js would announce there that it waits
    // for a debugger to leave, which it does not do then.
    session.post('Runtime.evaluate', {
      expression: `process.removeAllListeners('exit'); process.getBuiltinModule('fs').closeSync(2); process.exit(1)`,
    });
  } catch {
    // A build of Node.js without inspector: SIGKILL is next.
  }
};

// Rounds are counted instead of time: a process that was suspended was not stuck.
let call = -1,
  rounds = 0;
while (Atomics.wait(cells, stop, 0, intervalMs) === 'timed-out') {
  const plugin = Atomics.load(cells, running),
    now = Atomics.load(cells, calls);
  rounds = plugin !== 0 && now === call ? rounds + 1 : 0;
  call = now;
  if (rounds * intervalMs < limitMs) continue;
  writeSync(2, `${lines[plugin - 1]}\n`);
  await exitFromInside();
  Atomics.wait(cells, stop, 0, GRACE_MS);
  process.kill(process.pid, 'SIGKILL');
}
