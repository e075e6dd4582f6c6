// The MySQL source beside the server's own reader and zongji, on servers of its own: see README.md.
// `--inserts 300000 --updates 100000 --rounds 3 --servers mariadb,mysql --only json,file --seconds 10 --transaction 5000000` change what is done.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RowDataPacket } from 'mysql2/promise';
import { mariadb, mysql } from '../../scripts/services/mysql.ts';
import { round } from '../lib/cpu.ts';
import { child, cpuOf, inFolder, type MemoryRun, programMemory } from '../lib/processes.ts';
import { least, type Run, ratio, rounds } from '../lib/rounds.ts';
import type { LatencyResult, LatencyTask } from './latency.ts';
import { type Bench, type DrainRun, drain, JSON_TO_NOWHERE, measured, pipelineOf } from './measure.ts';
import { peers } from './peers.ts';
import { connect, LOGIN, rawReader, startServer } from './server.ts';
import type { ReaderResult, TransportTask } from './transport.ts';
import { createWorkload, oneTransaction, type Phase } from './workload.ts';
import type { ZongjiTask } from './zongji.ts';

const { values: given } = parseArgs({
  options: {
    inserts: { type: 'string', default: '300000' },
    updates: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    servers: { type: 'string', default: 'mariadb,mysql' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '10' },
    transaction: { type: 'string', default: '0' },
    peers: { type: 'boolean', default: false },
  },
});
const wants = (name: string): boolean => given.only === '' || given.only.split(',').includes(name);
/** The file of the phase as it is, into memory that is a folder. */
function raw(bench: Bench, phase: Phase, reader: string): Promise<Run> {
  const { server } = bench;
  return inFolder((folder) =>
    measured(bench, phase, async () => {
      const began = performance.now(),
        login = ['--host', LOGIN.host, '--port', String(server.port), '--user', LOGIN.user, `--password=${LOGIN.password}`],
        cpu = await cpuOf(reader, [
          '--no-defaults',
          ...login,
          '--read-from-remote-server',
          '--raw',
          `--result-file=${folder}/`,
          phase.file,
        ]);
      return { seconds: (performance.now() - began) / 1000, cpu };
    }),
  );
}

function reader(bench: Bench, phase: Phase, script: string, task: object): Promise<Run> {
  return measured(bench, phase, async () => {
    const login = { ...LOGIN, port: bench.server.port };
    const { seconds, cpuSeconds: cpu } = await child<ReaderResult>(join(import.meta.dirname, script), { ...task, login });
    return { seconds, cpu };
  });
}

async function streaming(bench: Bench, [inserts, updates]: readonly [Phase, Phase], bytes: number): Promise<object> {
  const { flavor } = bench,
    program = flavor === 'mariadb' ? rawReader() : null;
  if (flavor === 'mariadb' && program === null) process.stderr.write('no mariadb-binlog (Debian: mariadb-client): no ratios to it\n');
  const { file, events } = inserts;
  const cases: Readonly<Record<string, () => Promise<DrainRun>>> = {
    ...(program === null ? {} : { raw: () => raw(bench, inserts, program) }),
    transport: () => reader(bench, inserts, 'transport.ts', { flavor, file, bytes } satisfies Omit<TransportTask, 'login'>),
    json: () => drain(bench, inserts, 'null'),
    file: () => drain(bench, inserts, 'file'),
    json_updates: () => drain(bench, updates, 'null'),
    zongji: () => reader(bench, inserts, 'zongji.ts', { file, events } satisfies Omit<ZongjiTask, 'login'>),
  };
  const runs = await rounds(Number(given.rounds), Object.fromEntries(Object.entries(cases).filter(([name]) => wants(name))));
  const each = (of: (run: Run) => number): object => Object.fromEntries(Object.keys(runs).map((name) => [name, least(runs, name, of)]));
  return {
    cpu_us_per_event: each((r) => r.cpu),
    warm_cpu_us_per_event: Object.fromEntries(
      Object.entries(runs)
        .map(([name, list]) => [name, Math.min(...list.map((r) => (r as DrainRun).warmCpu ?? Number.NaN))] as const)
        .filter(([, warm]) => !Number.isNaN(warm)),
    ),
    server_us_per_event: each((r) => r.server),
    best_events_per_second: Object.fromEntries(
      Object.entries(runs).map(([name, list]) => [name, Math.round(Math.max(...list.map((r) => r.eventsPerSecond)))]),
    ),
    ...(program === null ? {} : { rate_over_raw: { transport: ratio(runs, 'transport', 'raw'), json: ratio(runs, 'json', 'raw') } }),
    rate_over_zongji: { json: ratio(runs, 'json', 'zongji'), file: ratio(runs, 'file', 'zongji') },
    raw: runs,
  };
}

async function latency({ server }: Bench, perSecond: number, firstId: number): Promise<LatencyResult> {
  const result = await inFolder((folder) => {
    const source = { type: 'mysql', url: server.url, tables: ['shop.orders'], snapshot_mode: 'never' },
      parts = pipelineOf(server, { name: 'inserts', events: 0, file: '' }, folder, JSON_TO_NOWHERE);
    const task: LatencyTask = {
      pipeline: { ...parts, source, sync: { mode: 'continuous' } },
      url: server.url,
      perSecond,
      seconds: Number(given.seconds),
      firstId,
    };
    return child<LatencyResult>(join(import.meta.dirname, 'latency.ts'), task);
  });
  return { events: result.events, p50: round(result.p50, 2), p99: round(result.p99, 2) };
}

async function benchOf(flavor: Bench['flavor']): Promise<object> {
  await using server = await startServer(flavor === 'mariadb' ? mariadb : mysql);
  const client = await connect(server),
    json = flavor === 'mariadb' ? 'longtext' : 'json',
    phases = await createWorkload(client, json, Number(given.inserts), Number(given.updates)),
    [inserts, updates] = phases as [Phase, Phase];
  const [files] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS'),
    bytes = Number(files.find((f) => f['Log_name'] === inserts.file)?.['File_size']);
  process.stderr.write(`${flavor} ${server.version}: ${Math.round(bytes / inserts.events)} bytes per insert in the log\n`);
  const bench = { server, flavor },
    result: Record<string, unknown> = { version: server.version, ...(await streaming(bench, [inserts, updates], bytes - BYTES_AROUND)) };
  const memoryOf = (file: string, events: number): Promise<MemoryRun> =>
    inFolder((folder) => programMemory(folder, pipelineOf(server, { name: 'inserts', events, file }, folder, JSON_TO_NOWHERE), events));
  if (wants('memory')) result['memory'] = await memoryOf(inserts.file, inserts.events);
  if (wants('stalled')) {
    const one = { ...JSON_TO_NOWHERE, rate_limit: { events_per_second: 1 } };
    result['stalled'] = await inFolder((folder) =>
      programMemory(folder, pipelineOf(server, inserts, folder, one), inserts.events, Number(given.seconds)),
    );
  }
  if (wants('latency')) {
    result['latency_ms'] = {
      at_1000_commits_per_second: await latency(bench, 1000, 100_000_000),
      at_10_commits_per_second: await latency(bench, 10, 200_000_000),
    };
  }
  if (given.peers) {
    const { peakMb } = await memoryOf(inserts.file, inserts.events);
    result['peers'] = await peers(bench, inserts, Number(given.rounds), peakMb, (line) => process.stderr.write(`${line}\n`));
  }
  const rows = Number(given.transaction);
  if (rows > 0) result['one_transaction'] = { rows, ...(await memoryOf(await oneTransaction(client, json, rows), rows)) };
  await client.end();
  return result;
}

/** Beginning and end of a file, of which not all is sent. */
const BYTES_AROUND = 4096;

const result: Record<string, object> = {};
for (const flavor of ['mariadb', 'mysql'] as const) if (given.servers.split(',').includes(flavor)) result[flavor] = await benchOf(flavor);
console.log(JSON.stringify({ scenario: 'mysql', inserts: Number(given.inserts), updates: Number(given.updates), ...result }));
