// Notices a plugin that blocks the only thread there is: no timer fires then, so a thread of its own watches. Costs about
// 9 MB; started only where a user's own code runs.

import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CdcError } from '../sdk/index.ts';

/** Index of the plugin that runs now, plus one; 0 = none. */
const RUNNING = 0;
/** Grows with each call, so that many short calls are not taken for one long one. */
const CALLS = 1;
/** Becomes 1 when the watchdog shall end. */
const STOP = 2;

/** What the thread holds in objects is a few numbers; the rest of the 9 MB is what Node.js gives every thread. */
const LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 };

export interface WatchdogOptions {
  /** How long one synchronous call may take. */
  readonly limitMs: number;
  /** Names of the plugins, by the index given to `enter`. */
  readonly names: readonly string[];
  /** How often it looks. Default 1 s. */
  readonly intervalMs?: number;
  /** How its last words look: as the other lines of the log. */
  readonly format?: 'pretty' | 'json';
}

export interface Watchdog {
  /** Before a plugin is called. Calls do not nest. */
  enter(index: number): void;
  /** As soon as the call has returned, be it with a promise. */
  leave(): void;
  stop(): Promise<void>;
}

/**
 * When one call lasts longer than `limitMs`, the process says which plugin it was (`PLUGIN_STUCK`) and ends with exit
 * code 1; 137 if the plugin hangs outside of JavaScript, where only SIGKILL helps. State is safe: as after any crash.
 */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  // At a breakpoint a call may last for hours.
  if (process.execArgv.some((arg) => arg.startsWith('--inspect'))) return { enter() {}, leave() {}, stop: async () => {} };
  const { limitMs, names, intervalMs = 1000, format = 'pretty' } = options;
  const cells = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  const lines = names.map((name) => lineFor(name, limitMs, format));
  const worker = new Worker(workerUrl(), {
    workerData: { memory: cells.buffer, running: RUNNING, calls: CALLS, stop: STOP, limitMs, intervalMs, lines },
    execArgv: [],
    resourceLimits: LIMITS,
  });
  // A pipeline that has ended must not be kept alive by its watchdog, and one whose watchdog fails is still a pipeline.
  worker.unref();
  worker.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      resolve();
    });
  });
  return {
    enter(index) {
      Atomics.add(cells, CALLS, 1);
      Atomics.store(cells, RUNNING, index + 1);
    },
    leave() {
      Atomics.store(cells, RUNNING, 0);
    },
    async stop() {
      Atomics.store(cells, STOP, 1);
      Atomics.notify(cells, STOP);
      // Referenced again, or the process could end before the answer comes.
      worker.ref();
      await ended;
    },
  };
}

function lineFor(name: string, limitMs: number, format: 'pretty' | 'json'): string {
  const error = new CdcError(
    'PLUGIN_STUCK',
    `Plugin "${name}" has not returned for ${limitMs / 1000} s and blocks the process, which is ended. Nothing is lost.`,
    {
      where: `plugin "${name}"`,
      fix: 'Look for an endless loop in the plugin, or let it give way with await.',
    },
  );
  if (format === 'json') return JSON.stringify({ level: 'error', ...error.toJSON() });
  return `error: ${error.message} ${error.fix} (${error.code})`;
}

/**
 * The worker as text: a thread reads no TypeScript on Node.js 20, whatever its parent was started with, so the file beside
 * this one is JavaScript in both its forms, and goes in the same way whether it was compiled or not.
 */
function workerUrl(): URL {
  const file = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
  return new URL(`data:text/javascript,${encodeURIComponent(readFileSync(file, 'utf8'))}`);
}
