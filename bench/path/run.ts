// The path from PostgreSQL's log to a topic of Kafka, beside Debezium in Kafka Connect: see README.md.
// `--rows 500000 --rounds 3 --only kafkajs,platformatic,debezium,stages` change what is done.

import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { connectSourceInstall } from '../../scripts/services/connect-install.ts';
import { loadState, reachableFolder } from '../../scripts/services/home.ts';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import { median, round } from '../lib/cpu.ts';
import { type Run, rounds } from '../lib/rounds.ts';
import { connect, startCluster } from '../postgres/cluster.ts';
import { createWorkload, type Phase } from '../postgres/workload.ts';
import { debezium } from './debezium.ts';
import { CLIENTS, ours, profiled } from './ours.ts';
import type { Path, Told } from './path.ts';
import type { PathRun } from './topic.ts';

/** Our rate over Debezium's, both from the start of the process; with what starting costs and without. */
const BUDGET = 2;

const { values: given } = parseArgs({
  options: {
    rows: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
});
const rows = Number(given.rows);
const wants = (name: string): boolean => given.only === '' || given.only.split(',').includes(name);
const log = (line: string): void => void process.stderr.write(`${line}\n`);

const url = await serviceUrl('kafka');
if (url === null) throw new Error('no Kafka: run `npm run services -- up kafka`');
const broker = { address: new URL(url).host, pid: loadState('kafka')?.process?.pid ?? null };
const installed = wants('debezium') ? await connectSourceInstall(reachableFolder(false), log) : null;
const load = loadavg()[0] ?? Number.NaN;
await using cluster = await startCluster();
const client = await connect(cluster.url),
  [phase] = await createWorkload(client, rows, 0);
const path: Path = { cluster, client, broker, phase: phase as Phase };

const bytes: Record<string, number> = {},
  warm: Told[] = [],
  cases: Record<string, () => Promise<Run>> = {};
const contender = (name: string, work: () => Promise<Told>): void => {
  cases[name] = async () => {
    const { run, valueBytes } = await work();
    bytes[name] = valueBytes;
    return run;
  };
};
for (const name of CLIENTS) if (wants(name)) contender(name, () => ours(path, name));
if (installed !== null) contender('debezium', () => debezium(installed, path, warm));
else if (wants('debezium')) log('no Debezium: that needs Maven and Java');

const raw: Record<string, readonly PathRun[]> = {
  ...((await rounds(Number(given.rounds), cases)) as Readonly<Record<string, readonly PathRun[]>>),
  ...(warm.length > 0 ? { debezium_warm: warm.map((w) => w.run) } : {}),
};
const stages: Record<string, object> = {};
if (wants('stages')) for (const name of CLIENTS) stages[name] = await profiled(path, name);
await client.end();

const middle = (name: string, of: (run: PathRun) => number, digits = 2): number => round(median((raw[name] ?? []).map(of)), digits);
/** In the median of the rounds. */
const over = (name: string, other: string, of: (run: PathRun) => number): number =>
  round(median((raw[name] ?? []).map((run, i) => of(run) / of(raw[other]?.[i] as PathRun))), 2);
const medians = Object.keys(raw).map((name) => [
  name,
  {
    per_s: middle(name, (r) => r.eventsPerSecond, 0),
    steady_per_s: middle(name, (r) => r.steadyPerSecond, 0),
    cpu_us: middle(name, (r) => r.cpu),
    steady_cpu_us: middle(name, (r) => r.steadyCpu),
    first_record_s: middle(name, (r) => r.firstRecordSeconds),
    peak_mb: middle(name, (r) => r.peakMb, 0),
  },
]);
const peers = ['debezium', 'debezium_warm'].filter((name) => raw[name] !== undefined);
const pairs = CLIENTS.filter((name) => raw[name] !== undefined).flatMap((name) => peers.map((peer) => [name, peer] as const));
const ratios = pairs.map(([name, peer]) => ({
  peer,
  key: `${name}_over_${peer}`,
  of: {
    rate: over(name, peer, (r) => r.eventsPerSecond),
    steady_rate: over(name, peer, (r) => r.steadyPerSecond),
    cpu: over(name, peer, (r) => r.cpu),
    steady_cpu: over(name, peer, (r) => r.steadyCpu),
  },
}));
console.log(
  JSON.stringify({
    scenario: 'path',
    rows,
    load: round(load, 1),
    value_bytes: bytes,
    versions: installed?.versions ?? null,
    ...Object.fromEntries(medians),
    ...Object.fromEntries(ratios.map(({ key, of }) => [key, of])),
    stages_us: stages,
    budget: BUDGET,
    raw,
  }),
);
if (ratios.some(({ peer, of }) => peer === 'debezium' && Math.min(of.rate, of.steady_rate) < BUDGET)) process.exitCode = 1;
