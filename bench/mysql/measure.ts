// One reader over a file of the log, with what it costs the server.

import { join } from 'node:path';
import { busySeconds, cpuSeconds, drainChild, inFolder } from '../lib/processes.ts';
import { type Run, runOf } from '../lib/rounds.ts';
import type { Server } from './server.ts';
import type { Phase } from './workload.ts';

export const JSON_TO_NOWHERE = { type: 'null', encode: true, envelope: 'debezium' };

export interface Bench {
  readonly server: Server;
  readonly flavor: 'mariadb' | 'mysql';
}

/** `work` gives the seconds that count and the CPU of the reader. */
export async function measured({ server }: Bench, { events }: Phase, work: () => Promise<{ seconds: number; cpu: number }>): Promise<Run> {
  const busy = busySeconds(),
    serverCpu = cpuSeconds(server.pid) ?? 0;
  const { seconds, cpu } = await work();
  return runOf(events, seconds, cpu, (cpuSeconds(server.pid) ?? 0) - serverCpu, busySeconds() - busy);
}

export function pipelineOf(server: Server, phase: Phase, folder: string, destination: object): object {
  return {
    name: 'bench',
    source: {
      type: 'mysql',
      url: server.url,
      tables: ['shop.orders'],
      snapshot_mode: 'never',
      binlog_config: { binlog_filename: phase.file, binlog_position: 4 },
    },
    destinations: [{ name: 'out', ...destination }],
    sync: { mode: 'one_time' },
    state: { path: join(folder, 'state.db') },
    error_handling: { dead_letter_queue: { type: 'file', path: join(folder, 'dlq.ndjson') } },
  };
}

/** `warmCpu`: of the second half, by when what is hot is compiled. */
export type DrainRun = Run & { readonly warmCpu?: number };

export function drain(bench: Bench, phase: Phase, type: 'null' | 'file'): Promise<DrainRun> {
  return inFolder(async (folder) => {
    let warm = Number.NaN;
    const run = await measured(bench, phase, async () => {
      const destination = type === 'null' ? JSON_TO_NOWHERE : { type, path: join(folder, 'out.ndjson'), envelope: 'debezium' },
        pipeline = pipelineOf(bench.server, phase, folder, destination);
      const result = await drainChild({ pipeline, source: 'mysql', destination: type, events: phase.events });
      warm = result.warmCpuMicrosPerEvent;
      // Without the time before the first event: the server's own reader loads nothing.
      return { seconds: result.seconds - result.firstEventSeconds, cpu: (result.cpuMicrosPerEvent * phase.events) / 1e6 };
    });
    return { ...run, warmCpu: warm };
  });
}
