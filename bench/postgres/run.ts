// The PostgreSQL source beside the server's own reader, on servers of its own: see README.md.
// `--inserts 500000 --updates 200000 --rounds 3 --only json,file` change what is done.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { round } from '../lib/cpu.ts';
import { child, inFolder, outputOf } from '../lib/processes.ts';
import { cpuOfRuns, least, type Run, ratio, rounds } from '../lib/rounds.ts';
import { type Cluster, connect, startCluster } from './cluster.ts';
import { endurance } from './endurance.ts';
import type { LatencyResult, LatencyTask } from './latency.ts';
import { type Drained, drain, drop, JSON_TO_NOWHERE, jsonToFile, memoryOf, pipelineOf, receiveLogical } from './measure.ts';
import { peers } from './peers.ts';
import { snapshotRun } from './snapshot.ts';
import { createWorkload, type Phase } from './workload.ts';

const { values: given } = parseArgs({
  options: {
    inserts: { type: 'string', default: '500000' },
    updates: { type: 'string', default: '200000' },
    snapshot: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    endurance: { type: 'string', default: '0' },
    peers: { type: 'boolean', default: false },
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
  const runs = await rounds(ROUNDS, Object.fromEntries(Object.entries(all).filter(([name]) => wants(name) || name === 'pg_recvlogical')));
  const firstEvent = (runs['json'] as readonly Drained[] | undefined)?.map((r) => r.firstEventSeconds) ?? [];
  const cpu = (name: string): number => least(runs, name, (r) => r.cpu);
  return {
    cpu_us_per_event: cpuOfRuns(runs),
    warm_cpu_us_per_event: Object.fromEntries(
      Object.entries(runs as Readonly<Record<string, readonly Partial<Drained>[]>>)
        .filter(([, list]) => list[0]?.warmCpu !== undefined)
        .map(([name, list]) => [name, round(Math.min(...list.map((r) => r.warmCpu ?? Number.NaN)), 2)]),
    ),
    walsender_us_per_event: Object.fromEntries(Object.keys(runs).map((name) => [name, least(runs, name, (r) => r.server)])),
    rate_over_pg_recvlogical: {
      json: ratio(runs, 'json', 'pg_recvlogical'),
      file: ratio(runs, 'file', 'pg_recvlogical'),
      updates: ratio(runs, 'json_updates', 'pg_recvlogical_updates'),
    },
    rate_disk_log_over_memory_log: ratio(runs, 'disk_log', 'json'),
    cpu_masking_over_without: round(cpu('masking') / cpu('json'), 2),
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
  const runs = await rounds(ROUNDS, {
    captured: fresh(() => drain(cluster, client, phase, destination)),
    without_capture: fresh(() => drain(cluster, client, phase, destination, () => ({}), true)),
  });
  await target.end();
  return {
    rate_over_without_capture: ratio(runs, 'captured', 'without_capture'),
    cpu_us_per_event: least(runs, 'captured', (r) => r.cpu),
    raw: runs,
  };
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
    return child<LatencyResult>(join(import.meta.dirname, 'latency.ts'), task);
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
if (wants('memory')) result['memory'] = await memoryOf(cluster, client, phases[0] as Phase);
if (wants('replica')) result['replica'] = await replica(cluster, client, phases);
if (wants('latency')) {
  result['latency_ms'] = {
    at_1000_commits_per_second: await latency(cluster, client, 1000, 100_000_000),
    at_10_commits_per_second: await latency(cluster, client, 10, 200_000_000),
  };
}
if (wants('snapshot')) result['snapshot'] = await snapshotRun(cluster, client, Number(given.snapshot), ROUNDS, given.peers, log);
if (given.peers) result['peers'] = await peers(cluster, client, phases[0] as Phase, ROUNDS, log);
if (Number(given.endurance) > 0) result['endurance'] = await endurance(cluster, client, Number(given.endurance));
await client.end();
const version = (await outputOf(join(cluster.bin, 'postgres'), ['--version'])).trim();
console.log(JSON.stringify({ scenario: 'postgres', server: version, inserts, updates: Number(given.updates), ...result }));
