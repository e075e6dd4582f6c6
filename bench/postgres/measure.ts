// Runs one reader over a private copy of a slot and takes the CPU of the server's side, too.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { busySeconds, type Cluster, cpuSeconds } from './cluster.ts';
import type { DrainResult, DrainTask } from './drain.ts';
import { type Phase, PUBLICATION } from './workload.ts';

const LOOK_MS = 50;
/** How long a slot may still be in use by a walsender that has not noticed. */
const DROP_TRIES = 50;

export interface Run {
  readonly eventsPerSecond: number;
  /** CPU µs per event: of the reader, of its walsender, of everything else on the machine. */
  readonly cpu: number;
  readonly walsender: number;
  readonly others: number;
}

/** Gives `work` a copy of the phase's slot, and the CPU of the walsender that served it. */
async function withCopy<T>(client: pg.Client, phase: Phase, work: (slot: string) => Promise<T>): Promise<{ result: T; walsender: number }> {
  const slot = `copy_${process.pid}_${Math.round(performance.now() * 1000)}`;
  await client.query('SELECT pg_copy_logical_replication_slot($1, $2)', [phase.slot, slot]);
  let pid: number | null = null,
    walsender = 0,
    isDone = false;
  const watching = (async () => {
    for (; !isDone; await sleep(LOOK_MS)) {
      pid ??= await activePid(client, slot);
      if (pid !== null) walsender = cpuSeconds(pid) ?? walsender;
    }
  })();
  try {
    const result = await work(slot);
    return { result, walsender };
  } finally {
    isDone = true;
    await watching;
    await drop(client, slot);
  }
}

async function activePid(client: pg.Client, slot: string): Promise<number | null> {
  const { rows } = await client.query<{ pid: number | null }>('SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1', [
    slot,
  ]);
  return rows[0]?.pid ?? null;
}

export async function drop(client: pg.Client, slot: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await client.query('SELECT pg_drop_replication_slot($1)', [slot]);
      return;
    } catch (error) {
      if (tries === DROP_TRIES) throw error;
      await sleep(100);
    }
  }
}

/** The server's own reader, which writes what comes to /dev/null. */
export async function receiveLogical(cluster: Cluster, client: pg.Client, phase: Phase): Promise<Run> {
  const others = busySeconds();
  const { result, walsender } = await withCopy(client, phase, async (slot) => {
    const began = performance.now();
    const args = ['-d', cluster.url, '-S', slot, '--start', '-n', '-f', '/dev/null', '-E', phase.endLsn];
    const cpu = await cpuOf(join(cluster.bin, 'pg_recvlogical'), [
      ...args,
      '-o',
      'proto_version=1',
      '-o',
      `publication_names=${PUBLICATION}`,
    ]);
    return { seconds: (performance.now() - began) / 1000, cpu };
  });
  return runOf(phase.events, result.seconds, result.cpu, walsender, busySeconds() - others);
}

/** User and system seconds of a program, by the shell's `times`. */
async function cpuOf(file: string, args: readonly string[]): Promise<number> {
  const stdout = await outputOf('sh', ['-c', '"$0" "$@" >&2; times', file, ...args]);
  const children = stdout.trim().split('\n').at(-1) ?? '';
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

export function outputOf(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${file} failed: ${stderr.slice(-4000)}`, { cause: error }));
    });
  });
}

function runOf(events: number, seconds: number, cpu: number, walsender: number, busy: number): Run {
  const each = (s: number): number => (s / events) * 1e6;
  return { eventsPerSecond: events / seconds, cpu: each(cpu), walsender: each(walsender), others: each(busy - cpu - walsender) };
}

/** A process of this folder over the built program; its last line is its result. */
export async function child<T>(script: string, task: object): Promise<T> {
  const path = join(import.meta.dirname, script);
  const stdout = await outputOf(process.execPath, ['--no-warnings', '--import', 'tsx', path, JSON.stringify(task)]);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
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

/** What the pipelines here have in common. */
export function pipelineOf(
  url: string,
  folder: string,
  more: { readonly slot?: string; readonly source?: object; readonly destination: object },
): object {
  return {
    name: 'bench',
    source: {
      type: 'postgresql',
      url,
      tables: ['orders'],
      publication: { name: PUBLICATION, create: false },
      snapshot_mode: 'never',
      ...(more.slot === undefined ? {} : { slot_name: more.slot }),
      ...more.source,
    },
    destinations: [{ name: 'out', ...more.destination }],
    sync: { mode: 'one_time' },
    state: { path: join(folder, 'state.db') },
    error_handling: { dead_letter_queue: { type: 'file', path: join(folder, 'dlq.ndjson') } },
  };
}

export const JSON_TO_NOWHERE = { type: 'null', encode: true, envelope: 'debezium' };
export const jsonToFile = (folder: string): object => ({ type: 'file', path: join(folder, 'out.ndjson'), envelope: 'debezium' });

export interface Drained extends Run {
  /** CPU µs per event of the second half. */
  readonly warmCpu: number;
  /** From the start of the pipeline, with what it loads. */
  readonly firstEventSeconds: number;
}

/** One of our pipelines over a copy of the phase's slot. `more`: parts of the pipeline's file. */
export async function drain(
  cluster: Cluster,
  client: pg.Client,
  phase: Phase,
  destination: (folder: string) => object,
  more: (folder: string) => object = () => ({}),
  readFirst = false,
): Promise<Drained> {
  const others = busySeconds();
  return inFolder(async (folder) => {
    const to = destination(folder);
    const { result, walsender } = await withCopy(client, phase, (slot) => {
      const pipeline = { ...pipelineOf(cluster.url, folder, { slot, destination: to }), ...more(folder) };
      const task: DrainTask = { pipeline, destination: (to as { type: string }).type, events: phase.events, readFirst };
      return child<DrainResult>('drain.ts', task);
    });
    const { events, seconds, cpuMicrosPerEvent, warmCpuMicrosPerEvent: warmCpu, firstEventSeconds } = result;
    // Without the time before the first event: the server's own reader loads nothing.
    const run = runOf(events, seconds - firstEventSeconds, (cpuMicrosPerEvent * events) / 1e6, walsender, busySeconds() - others);
    return { ...run, warmCpu, firstEventSeconds };
  });
}

export interface MemoryRun {
  readonly peakMb: number;
  /** Medians of the quarters of the run. */
  readonly rssMb: readonly number[];
}

/** The built program as people run it, looked at from outside. */
export async function memoryOf(
  cluster: Cluster,
  client: pg.Client,
  phase: Phase,
  write: (folder: string, pipeline: object) => string,
): Promise<MemoryRun> {
  return inFolder(async (folder) => {
    const { result } = await withCopy(client, phase, async (slot) => {
      const file = write(folder, pipelineOf(cluster.url, folder, { slot, destination: JSON_TO_NOWHERE }));
      const program = join(import.meta.dirname, '../../bin/cdc-run.js');
      const running = spawn(process.execPath, [program, 'run', file, '--limit', String(phase.events)], { stdio: 'ignore' });
      const samples: number[] = [];
      let peakMb = 0,
        code: number | null | undefined;
      running.on('close', (status) => {
        code = status;
      });
      while (code === undefined) {
        await sleep(LOOK_MS);
        const status = statusOf(running.pid as number);
        if (status === null) continue;
        samples.push(status.rss);
        peakMb = Math.max(peakMb, status.peak);
      }
      if (code !== 0) throw new Error(`cdc-run ended with ${code}`);
      return { peakMb, samples };
    });
    const { samples, peakMb } = result;
    const middle = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
    return { peakMb, rssMb: [0, 1, 2, 3].map((n) => middle(samples.slice((samples.length * n) / 4, (samples.length * (n + 1)) / 4))) };
  });
}

function statusOf(pid: number): { rss: number; peak: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
    const rss = kb('VmRSS');
    return rss === 0 ? null : { rss, peak: kb('VmHWM') };
  } catch {
    return null;
  }
}
