// Runs a program to its end, or kills it with all that it has started.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Clock } from '../sdk/index.ts';

export interface Program {
  /** A list is run as it is, a text by the shell. */
  readonly argv: readonly string[] | string;
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Aborting it kills the program. Aborted in any case once it has ended. */
  readonly stop: AbortController;
  line(stream: 'stdout' | 'stderr', text: string): void;
}

export type Ended =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed to start'; readonly error: Error };

/** Output beyond this is dropped: the log is for people. */
const MAX_LINES = 200;
const MAX_LINE_CHARS = 4000;
/** How long something that outlives the program may keep its output open. */
const OUTPUT_GRACE_MS = 500;

export async function runProgram(program: Program): Promise<Ended> {
  const { clock, stop, timeoutMs } = program;
  try {
    const child = start(program),
      output = forward(child, program.line);
    // A program that does not read its input closes it; that is its right.
    child.stdin.on('error', () => undefined);
    child.stdin.end(program.input);
    const ended = endOf(child);
    const late = clock.sleep(timeoutMs, stop.signal).then((): Ended => ({ kind: stop.signal.aborted ? 'stopped' : 'timeout' }));
    const result = await Promise.race([ended, late]);
    if (result.kind === 'timeout' || result.kind === 'stopped') {
      killTree(child);
      await ended;
    } else if (result.kind !== 'failed to start') {
      await Promise.race([output, clock.sleep(OUTPUT_GRACE_MS, stop.signal)]);
    }
    child.stdout.destroy();
    child.stderr.destroy();
    return result;
  } catch (error) {
    return { kind: 'failed to start', error: error as Error };
  } finally {
    stop.abort();
  }
}

function start({ argv, env }: Program): ChildProcessWithoutNullStreams {
  // A group of its own on POSIX, so that what it starts can be killed with it.
  const options = { env: { ...process.env, ...env }, detached: process.platform !== 'win32', windowsHide: true } as const;
  if (typeof argv === 'string') return spawn(argv, { ...options, shell: true });
  const [command = '', ...args] = argv;
  return spawn(command, args, { ...options, shell: false });
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve({ kind: 'failed to start', error });
    });
    child.once('exit', (code, signal) => {
      resolve(code === null ? { kind: 'signal', signal: signal ?? 'a signal' } : { kind: 'exit', code });
    });
  });
}

/** SIGKILL at once: the program has had its time. */
function killTree(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended in this moment.
  }
}

/** Resolves when both outputs have been read to their end. */
async function forward(child: ChildProcessWithoutNullStreams, line: Program['line']): Promise<void> {
  let lines = 0;
  const read = async (stream: 'stdout' | 'stderr'): Promise<void> => {
    for await (const text of createInterface({ input: child[stream], crlfDelay: Infinity })) {
      if (++lines <= MAX_LINES) line(stream, text.slice(0, MAX_LINE_CHARS));
    }
  };
  await Promise.all([read('stdout'), read('stderr')]);
}
