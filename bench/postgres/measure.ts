// Runs one reader over a private copy of a slot and takes the CPU of the server's side, too.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { DrainTask } from '../lib/drain.ts';
import { busySeconds, cpuOf, cpuSeconds, drainChild, inFolder, type MemoryRun, programMemory } from '../lib/processes.ts';
import { type Run, runOf } from '../lib/rounds.ts';
import type { Cluster } from './cluster.ts';
import { type Phase, PUBLICATION } from './workload.ts';

const LOOK_MS = 50;
/** How long a slot may still be in use by a walsender that has not noticed. */
const DROP_TRIES = 50;

/** Gives `work` a copy of the phase's slot, and the CPU of the walsender that served it. */
export async function withCopy<T>(
  client: pg.Client,
  phase: Phase,
  work: (slot: string) => Promise<T>,
): Promise<{ result: T; walsender: number }> {
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
      const task: DrainTask = {
        pipeline,
        source: 'postgresql',
        destination: (to as { type: string }).type,
        events: phase.events,
        readFirst,
      };
      return drainChild(task);
    });
    const { events, seconds, cpuMicrosPerEvent, warmCpuMicrosPerEvent: warmCpu, firstEventSeconds } = result;
    // Without the time before the first event: the server's own reader loads nothing.
    const run = runOf(events, seconds - firstEventSeconds, (cpuMicrosPerEvent * events) / 1e6, walsender, busySeconds() - others);
    return { ...run, warmCpu, firstEventSeconds };
  });
}

export function memoryOf(cluster: Cluster, client: pg.Client, phase: Phase): Promise<MemoryRun> {
  return inFolder(async (folder) => {
    const { result } = await withCopy(client, phase, (slot) =>
      programMemory(folder, pipelineOf(cluster.url, folder, { slot, destination: JSON_TO_NOWHERE }), phase.events),
    );
    return result;
  });
}
