// Other readers on the same slot, in turn with ours: Debezium's engine and the Rust crate pg_walstream. Each runs where it has been
// built (peers/*, see README.md), and says why it does not otherwise.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { median, round } from '../lib/cpu.ts';
import { busySeconds, cpuOfPrinting } from '../lib/processes.ts';
import { type Run, rounds, runOf } from '../lib/rounds.ts';
import type { Cluster } from './cluster.ts';
import { type Drained, drain, JSON_TO_NOWHERE, memoryOf, receiveLogical, withCopy } from './measure.ts';
import { type Phase, PUBLICATION } from './workload.ts';

const FOLDER = join(import.meta.dirname, 'peers'),
  DEBEZIUM = join(FOLDER, 'debezium/target'),
  WALSTREAM = join(FOLDER, 'walstream/target/release/walstream-peer');

/** One line of a peer. */
interface Told {
  readonly events: number;
  /** From the first event to the last one. */
  readonly seconds: number;
  readonly firstEventSeconds: number;
  readonly peakMb: number;
  /** Of this pass; where the program cannot tell it is that of the whole process. */
  readonly cpuSeconds?: number;
}

interface PeerRun extends Run {
  readonly firstEventSeconds: number;
  readonly peakMb: number;
}

/** The fastest settings of those tried: two threads, the parallel collector, no tombstones, JSON without schema blocks. */
const JVM = ['-Xms2g', '-Xmx2g', '-XX:+UseParallelGC'];
const CONNECTOR = {
  name: 'bench',
  'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
  'topic.prefix': 'bench',
  'database.hostname': '127.0.0.1',
  'database.password': 'none',
  'plugin.name': 'pgoutput',
  'publication.name': PUBLICATION,
  'publication.autocreate.mode': 'disabled',
  'table.include.list': 'public.orders',
  'snapshot.mode': 'no_data',
  'key.converter.schemas.enable': 'false',
  'value.converter.schemas.enable': 'false',
  'offset.storage': 'org.apache.kafka.connect.storage.MemoryOffsetBackingStore',
  'offset.flush.interval.ms': '5000',
  'max.batch.size': '8192',
  'max.queue.size': '32768',
  'poll.interval.ms': '10',
  'record.processing.threads': '2',
  'record.processing.order': 'ORDERED',
  'tombstones.on.delete': 'false',
} as const;

async function debezium(cluster: Cluster, client: pg.Client, phase: Phase, passes: PeerRun[]): Promise<Run> {
  const { port, username, pathname } = new URL(cluster.url),
    others = busySeconds();
  const { result: both, walsender: coldSender } = await withCopy(client, phase, (cold) =>
    withCopy(client, phase, (warm) => {
      const keys = { ...CONNECTOR, 'database.port': port, 'database.user': username, 'database.dbname': pathname.slice(1) };
      const all = { ...keys, 'bench.slots': `${cold},${warm}`, 'bench.stop': String(phase.events) };
      const classes = `${DEBEZIUM}/debezium-peer-1.jar:${DEBEZIUM}/lib/*`;
      return cpuOfPrinting<Told>('java', [...JVM, '-cp', classes, 'bench.Main', ...Object.entries(all).map(([k, v]) => `${k}=${v}`)]);
    }),
  );
  // Of both passes, over all events.
  const busy = (busySeconds() - others - both.result.cpu - coldSender - both.walsender) / 2;
  const [first, second] = both.result.lines.map(({ events, seconds, cpuSeconds = 0, firstEventSeconds, peakMb }, i) => {
    const sender = i === 0 ? coldSender : both.walsender;
    return { ...runOf(events, seconds, cpuSeconds, sender, busy + cpuSeconds + sender), firstEventSeconds, peakMb };
  }) as [PeerRun, PeerRun];
  passes.push(first);
  return second;
}

async function walstream(cluster: Cluster, client: pg.Client, phase: Phase): Promise<Run> {
  const url = new URL(cluster.url);
  url.password = 'none';
  url.search = 'replication=database&sslmode=disable';
  const others = busySeconds();
  const { result, walsender } = await withCopy(client, phase, (slot) =>
    cpuOfPrinting<Told>(WALSTREAM, [url.href, slot, PUBLICATION, String(phase.events)]),
  );
  const [told] = result.lines as [Told];
  const run = runOf(told.events, told.seconds, result.cpu, walsender, busySeconds() - others);
  return { ...run, firstEventSeconds: told.firstEventSeconds, peakMb: told.peakMb } as PeerRun;
}

export async function peers(
  cluster: Cluster,
  client: pg.Client,
  phase: Phase,
  count: number,
  log: (line: string) => void,
): Promise<object> {
  const cold: PeerRun[] = [];
  const others: Record<string, () => Promise<Run>> = {};
  if (existsSync(join(DEBEZIUM, 'debezium-peer-1.jar'))) others['debezium'] = () => debezium(cluster, client, phase, cold);
  else log(`no Debezium: run \`mvn package -f ${join(FOLDER, 'debezium/pom.xml')}\``);
  if (existsSync(WALSTREAM)) others['pg_walstream'] = () => walstream(cluster, client, phase);
  else log(`no pg_walstream: run \`cargo build --release --manifest-path ${join(FOLDER, 'walstream/Cargo.toml')}\``);
  const runs = await rounds(count, {
    pg_recvlogical: () => receiveLogical(cluster, client, phase),
    json: () => drain(cluster, client, phase, () => JSON_TO_NOWHERE),
    ...others,
  });
  const ours = runs['json'] as readonly Drained[],
    memory = await memoryOf(cluster, client, phase);
  const beside = Object.keys(others).map((name) => [name, against(ours, runs[name] as readonly PeerRun[], memory.peakMb)] as const);
  return {
    events: phase.events,
    ours: {
      cpu_us_per_event: round(Math.min(...ours.map((r) => r.cpu)), 2),
      first_event_ms: Math.round(Math.min(...ours.map((r) => r.firstEventSeconds)) * 1000),
      peak_mb: memory.peakMb,
    },
    ...Object.fromEntries(beside),
    // From the start of the process, as ours.
    ...(cold.length > 0 ? { debezium_cold: against(ours, cold, memory.peakMb) } : {}),
    raw: { ...runs, ...(cold.length > 0 ? { debezium_cold: cold } : {}) },
  };
}

/** Rates of the same round; of all else the best of each. */
function against(ours: readonly Drained[], theirs: readonly PeerRun[], peakMb: number): object {
  const best = (of: (run: PeerRun) => number): number => Math.min(...theirs.map(of)),
    cpu = Math.min(...ours.map((r) => r.cpu));
  return {
    events_per_second: Math.round(Math.max(...theirs.map((r) => r.eventsPerSecond))),
    cpu_us_per_event: round(
      best((r) => r.cpu),
      2,
    ),
    first_event_ms: Math.round(best((r) => r.firstEventSeconds) * 1000),
    peak_mb: median(theirs.map((r) => r.peakMb)),
    our_rate_over_theirs: round(Math.max(...ours.map((r, i) => r.eventsPerSecond / (theirs[i]?.eventsPerSecond ?? Number.NaN))), 2),
    our_cpu_over_theirs: round(cpu / best((r) => r.cpu), 3),
    our_memory_over_theirs: round(peakMb / median(theirs.map((r) => r.peakMb)), 3),
  };
}
