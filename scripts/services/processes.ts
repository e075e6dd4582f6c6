// Processes for the services script: run one to its end, start one that outlives us, stop one without ever hitting a
// stranger that was given the same process id.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './definition.ts';

/** A process, told apart from a later one with the same id by when it started. */
export interface ProcessId {
  readonly pid: number;
  readonly startedAt: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly account?: Account | null;
  readonly timeoutMs?: number;
}

/** Nothing of the caller's settings (PGDATA, locale, time zone) may reach a server. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

/** Runs a program to its end and returns its stdout; rejects with the end of what it said. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { account, timeoutMs = 300_000, ...rest } = options;
  return new Promise((resolve, reject) => {
    execFile(file, [...args], { ...rest, ...account, timeout: timeoutMs, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      const said = `${stderr}${stdout}`.trim().split('\n').slice(-8).join('\n');
      reject(new Error(`${file} ${args[0] ?? ''} failed${said === '' ? '' : `: ${said}`}`, { cause: error }));
    });
  });
}

/** Starts a server in a session of its own: it outlives this process and its terminal. Output goes to `logFile`. */
export function startDetached(file: string, args: readonly string[], logFile: string, options: RunOptions): ProcessId {
  const log = openSync(logFile, 'a');
  try {
    const { account, env, cwd } = options;
    const child = spawn(file, [...args], { detached: true, stdio: ['ignore', log, log], env, cwd, ...account });
    child.on('error', () => {});
    if (child.pid === undefined) throw new Error(`cannot start ${file}`);
    child.unref();
    return { pid: child.pid, startedAt: startTime(child.pid) ?? '' };
  } finally {
    closeSync(log);
  }
}

/** When a process started, in the system's own spelling; `null` when there is no such process (or it is a zombie). */
export function startTime(pid: number): string | null {
  try {
    if (process.platform !== 'linux') return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold anything, so fields are counted from its end: state is 0, start time is 19.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

export function isAlive(process: ProcessId): boolean {
  return startTime(process.pid) === process.startedAt;
}

/** Sends each signal in turn, waiting for the end in between; SIGKILL to the whole session last. */
export async function stop(target: ProcessId, signals: readonly NodeJS.Signals[]): Promise<void> {
  for (const signal of [...signals, 'SIGKILL'] as const) {
    if (!isAlive(target)) return;
    try {
      // A server's children share its session; only the last resort may not leave them behind.
      process.kill(signal === 'SIGKILL' ? -target.pid : target.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    for (let waited = 0; waited < 10_000 && isAlive(target); waited += 50) await sleep(50);
  }
  if (isAlive(target)) throw new Error(`process ${target.pid} does not end`);
}
