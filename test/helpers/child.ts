// A script in a process of its own, from the sources.

import { spawn } from 'node:child_process';

export const FROM_SOURCES = ['--conditions=source', '--import', 'tsx'];

export interface ChildOptions {
  /** Asked of what it has printed so far: once `true`, it is killed. */
  readonly isDone?: (out: string) => boolean;
  /** It is killed after this long; waits as long as it takes unless given. */
  readonly timeoutMs?: number;
  /** Of Node. */
  readonly flags?: readonly string[];
}

export interface EndedChild {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Resolves once it has ended, however it did. */
export function runChild(script: string, args: readonly string[], options: ChildOptions = {}): Promise<EndedChild> {
  const { isDone, timeoutMs, flags = FROM_SOURCES } = options;
  const child = spawn(process.execPath, [...flags, script, ...args], { timeout: timeoutMs, killSignal: 'SIGKILL' });
  let out = '',
    err = '';
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
    if (isDone?.(out) === true) child.kill('SIGKILL');
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal, out, err });
    });
  });
}

/** What a child that is killed once it has printed so many lines has printed: its whole lines. */
export async function linesUntilKilled(
  script: string,
  args: readonly string[],
  lines: number,
  options: ChildOptions = {},
): Promise<{ readonly lines: readonly string[]; readonly err: string }> {
  const { out, err } = await runChild(script, args, { ...options, isDone: (text) => text.split('\n').length > lines });
  return { lines: out.split('\n').slice(0, -1), err };
}
