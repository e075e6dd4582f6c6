// The PostgreSQL source beside the server's own reader, on servers of its own: see README.md.
// `--inserts 500000 --updates 200000 --rounds 3 --only json,file` change what is done.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { round } from '../lib/cpu.ts';
import { type Cluster, connect, startCluster } from './cluster.ts';
import type { LatencyResult, LatencyTask } from './latency.ts';
import {
  child,
  type Drained,
  drain,
  drop,
  inFolder,
  JSON_TO_NOWHERE,
  jsonToFile,
  memoryOf,
  outputOf,
  pipelineOf,
  type Run,
  receiveLogical,
} from './measure.ts';
import { snapshotRun } from './snapshot.ts';
import { createWorkload, type Phase } from './workload.ts';

const { values: given } = parseArgs({
  options: {
    inserts: { type: 'string', default: '500000' },
    updates: { type: 'string', default: '200000' },
    snapshot: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
  },
});
const ROUNDS = Number(given.rounds);

const log = (line: string): void => void process.stderr.write(`${line}\n`);
const wants = (name: string): boolean => given.only === '' || given.only.split(',').includes(name);

const diskLog = (folder: string): object => ({ log: { type: 'disk', path: join(folder, 'log') } });
const masked = (): object => ({
  plugins: { transformers: { transformers: [{ type: 'data_masking', params: { mask_fields: ['customer'] } }] } },
});

type Runs = { readonly [name: string]: readonly Run[] };

/** What is compared takes turns: each round is a minute in which all of them had the same neighbours. */
async function rounds(cases: Readonly<Record<string, () => Promise<Run>>>): Promise<Runs> {
  const runs: Record<string, Run[]> = {};
  for (let n = 0; n < ROUNDS; n++) {
    for (const [name, run] of Object.entries(cases)) {
      const result = await run();
      runs[name] = [...(runs[name] ?? []), result];
      const { eventsPerSecond, cpu, walsender, others } = result;
      log(
        `${name.padEnd(22)} ${Math.round(eventsPerSecond)}/s  CPU µs ${cpu.toFixed(2)}, walsender ${walsender.toFixed(2)}, others ${others.toFixed(2)}`,
      );
    }
  }
  return runs;
}

const least = (runs: readonly Run[] = [], of: (run: Run) => number): number => Math.min(...runs.map(of));
/** The best of the rounds: other work on the machine only adds. */
const cpuOf = (runs: Runs, name: string): number =>
  round(
    least(runs[name], (r) => r.cpu),
    2,
  );
const walsenderOf = (runs: Runs, name: string): number =>
  round(
    least(runs[name], (r) => r.walsender),
    2,
  );
/** The best round's rate over that of the other in the same round. */
function ratio(runs: Runs, name: string, to: string): number | null {
  const ratios = (runs[name] ?? []).map((r, i) => r.eventsPerSecond / (runs[to]?.[i]?.eventsPerSecond ?? Number.NaN));
  return ratios.length === 0 ? null : round(Math.max(...ratios), 2);
}

async function streaming(cluster: Cluster, client: pg.Client, phases: readonly Phase[]): Promise<object> {
  const [inserts, updates] = phases as [Phase, Phase];
  const nowhere = (): object => JSON_TO_NOWHERE;
  const all: Readonly<Record<string, () => Promise<Run>>> = {
    pg_recvlogical: () => receiveLogical(cluster, client, inserts),
    json: () => drain(cluster, client, inserts, nowhere),
    file: () => drain(cluster, client, inserts, jsonToFile),
    disk_log: () => drain(cluster, client, inserts, nowhere, diskLog),
    masking: () => drain(cluster, client, inserts, nowhere, masked),
    pg_recvlogical_updates: () => receiveLogical(cluster, client, updates),
    json_updates: () => drain(cluster, client, updates, nowhere),
  };
  const runs = await rounds(Object.fromEntries(Object.entries(all).filter(([name]) => wants(name) || name === 'pg_recvlogical')));
  const firstEvent = (runs['json'] as readonly Drained[] | undefined)?.map((r) => r.firstEventSeconds) ?? [];
  return {
    cpu_us_per_event: Object.fromEntries(Object.keys(runs).map((name) => [name, cpuOf(runs, name)])),
    warm_cpu_us_per_event: Object.fromEntries(
      Object.entries(runs as Readonly<Record<string, readonly Partial<Drained>[]>>)
        .filter(([, list]) => list[0]?.warmCpu !== undefined)
        .map(([name, list]) => [name, round(Math.min(...list.map((r) => r.warmCpu ?? Number.NaN)), 2)]),
    ),
    walsender_us_per_event: Object.fromEntries(Object.keys(runs).map((name) => [name, walsenderOf(runs, name)])),
    rate_over_pg_recvlogical: {
      json: ratio(runs, 'json', 'pg_recvlogical'),
      file: ratio(runs, 'file', 'pg_recvlogical'),
      updates: ratio(runs, 'json_updates', 'pg_recvlogical_updates'),
    },
    rate_disk_log_over_memory_log: ratio(runs, 'disk_log', 'json'),
    cpu_masking_over_without: round(cpuOf(runs, 'masking') / cpuOf(runs, 'json'), 2),
    first_event_ms: Math.round(Math.min(...firstEvent) * 1000),
    raw: runs,
  };
}

/** The replica's table is there with what it had before: the same rows again, so that both ways do the same. */
async function replica(cluster: Cluster, client: pg.Client, [inserts]: readonly Phase[]): Promise<object> {
  await using other = await startCluster();
  const phase = { ...(inserts as Phase), events: Math.min(200_000, (inserts as Phase).events) };
  const destination = (): object => ({ type: 'postgresql', url: other.url });
  const target = await connect(other.url);
  const fresh = (run: () => Promise<Run>) => async () => {
    await target.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    return run();
  };
  const runs = await rounds({
    captured: fresh(() => drain(cluster, client, phase, destination)),
    without_capture: fresh(() => drain(cluster, client, phase, destination, () => ({}), true)),
  });
  await target.end();
  return { rate_over_without_capture: ratio(runs, 'captured', 'without_capture'), cpu_us_per_event: cpuOf(runs, 'captured'), raw: runs };
}

async function latency(cluster: Cluster, client: pg.Client, perSecond: number, firstId: number): Promise<LatencyResult> {
  const slot = `latency_${perSecond}`;
  const result = await inFolder((folder) => {
    const parts = pipelineOf(cluster.url, folder, { slot, destination: JSON_TO_NOWHERE });
    const task: LatencyTask = {
      pipeline: { ...parts, sync: { mode: 'continuous' } },
      url: cluster.url,
      perSecond,
      seconds: Number(given.seconds),
      firstId,
    };
    return child<LatencyResult>('latency.ts', task);
  });
  await drop(client, slot);
  return { events: result.events, p50: round(result.p50, 2), p99: round(result.p99, 2) };
}

await using cluster = await startCluster();
const client = await connect(cluster.url);
const inserts = Number(given.inserts);
const phases = await createWorkload(client, inserts, Number(given.updates));
const result: Record<string, object> = {};
if (['json', 'file', 'disk_log', 'masking', 'json_updates'].some(wants)) result['streaming'] = await streaming(cluster, client, phases);
if (wants('memory')) {
  const write = (folder: string, pipeline: object): string => {
    const file = join(folder, 'bench.yaml');
    writeFileSync(file, JSON.stringify(pipeline));
    return file;
  };
  result['memory'] = await memoryOf(cluster, client, phases[0] as Phase, write);
}
if (wants('replica')) result['replica'] = await replica(cluster, client, phases);
if (wants('latency')) {
  result['latency_ms'] = {
    at_1000_commits_per_second: await latency(cluster, client, 1000, 100_000_000),
    at_10_commits_per_second: await latency(cluster, client, 10, 200_000_000),
  };
}
if (wants('snapshot')) result['snapshot'] = await snapshotRun(cluster, client, Number(given.snapshot), ROUNDS, log);
await client.end();
const version = (await outputOf(join(cluster.bin, 'postgres'), ['--version'])).trim();
console.log(JSON.stringify({ scenario: 'postgres', server: version, inserts, updates: Number(given.updates), ...result }));
