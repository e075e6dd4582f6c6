// What processes of a benchmark cost, and how they are run.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DrainResult, DrainTask } from './drain.ts';

const TICKS_PER_SECOND = 100;
const LOOK_MS = 50;

/** User and system CPU so far of a process, or of one thread of it, in seconds; `null` when it is gone. */
export function cpuSeconds(pid: number, thread?: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/${thread === undefined ? '' : `task/${thread}/`}stat`, 'utf8');
    // The command in parentheses may hold anything: fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

/** CPU of all processes of the machine so far, in seconds. */
export function busySeconds(): number {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields;
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

export function outputOf(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${file} failed: ${stderr.slice(-4000)}`, { cause: error }));
    });
  });
}

/** User and system seconds of a program, by the shell's `times`. */
export async function cpuOf(file: string, args: readonly string[]): Promise<number> {
  const stdout = await outputOf('sh', ['-c', '"$0" "$@" >&2; s=$?; times; exit $s', file, ...args]);
  return childSeconds(stdout.trim().split('\n').at(-1) ?? '');
}

/** The second line of `times`: `0m1.23s 0m0.45s`. */
function childSeconds(times: string): number {
  return [...times.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

/** User and system seconds of a program, and the lines of JSON that it prints. */
export async function cpuOfPrinting<T>(
  file: string,
  args: readonly string[],
): Promise<{ readonly cpu: number; readonly lines: readonly T[] }> {
  const stdout = await outputOf('sh', ['-c', '"$0" "$@"; s=$?; times; exit $s', file, ...args]),
    lines = stdout.trim().split('\n');
  return { cpu: childSeconds(lines.at(-1) ?? ''), lines: lines.filter((l) => l.startsWith('{')).map((l) => JSON.parse(l) as T) };
}

/** A script of the benchmark as a process; its last line is its result. */
export async function child<T>(path: string, task: object, nodeOptions: readonly string[] = []): Promise<T> {
  const stdout = await outputOf(process.execPath, ['--no-warnings', ...nodeOptions, '--import', 'tsx', path, JSON.stringify(task)]);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
}

/** `PROFILE=<folder>` keeps a CPU profile of each run. */
export function drainChild(task: DrainTask): Promise<DrainResult> {
  const { PROFILE } = process.env;
  return child(join(import.meta.dirname, 'drain.ts'), task, PROFILE === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${PROFILE}`]);
}

/** A folder for one run. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'cdc-bench-run-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface MemoryRun {
  readonly peakMb: number;
  /** Medians of the quarters of the run. */
  readonly rssMb: readonly number[];
}

/** The built program as people run it, looked at from outside until it ends, or is ended after so many seconds. */
export async function programMemory(
  folder: string,
  pipeline: object,
  events: number,
  seconds = Number.POSITIVE_INFINITY,
): Promise<MemoryRun> {
  const file = join(folder, 'bench.yaml');
  writeFileSync(file, JSON.stringify(pipeline));
  const program = join(import.meta.dirname, '../../bin/cdc-run.js');
  const running = spawn(process.execPath, [program, 'run', file, '--limit', String(events)], { stdio: 'ignore' });
  const samples: number[] = [];
  let peakMb = 0,
    code: number | null | undefined;
  running.on('close', (status) => {
    code = status;
  });
  const until = performance.now() + seconds * 1000;
  while (code === undefined) {
    await sleep(LOOK_MS);
    if (performance.now() > until) running.kill('SIGKILL');
    const status = statusOf(running.pid as number);
    if (status === null) continue;
    samples.push(status.rss);
    peakMb = Math.max(peakMb, status.peak);
  }
  if (code !== 0 && performance.now() < until) throw new Error(`cdc-run ended with ${code}`);
  const middle = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
  return { peakMb, rssMb: [0, 1, 2, 3].map((n) => middle(samples.slice((samples.length * n) / 4, (samples.length * (n + 1)) / 4))) };
}

/** In MB; `null` when it is gone. */
export function statusOf(pid: number): { rss: number; peak: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
    const rss = kb('VmRSS');
    return rss === 0 ? null : { rss, peak: kb('VmHWM') };
  } catch {
    return null;
  }
}
