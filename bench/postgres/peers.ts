// Other readers on the same slot, in turn with ours: Debezium's engine and the Rust crate pg_walstream.

import { join } from 'node:path';
import type pg from 'pg';
import { round } from '../lib/cpu.ts';
import { against, built, DEBEZIUM_JAR, debeziumPasses, PEERS, type PeerRun, type Told } from '../lib/peers.ts';
import { busySeconds, cpuOfPrinting } from '../lib/processes.ts';
import { type Run, rounds, runOf } from '../lib/rounds.ts';
import type { Cluster } from './cluster.ts';
import { type Drained, drain, JSON_TO_NOWHERE, memoryOf, receiveLogical, withCopy } from './measure.ts';
import { type Phase, PUBLICATION } from './workload.ts';

const WALSTREAM = join(PEERS, 'walstream/target/release/walstream-peer');

/** What its connector is told of the server and the table. */
export function debeziumConnector(url: string): Readonly<Record<string, string>> {
  const { port, username, pathname } = new URL(url);
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'database.port': port,
    'database.user': username,
    'database.password': 'none',
    'database.dbname': pathname.slice(1),
    'plugin.name': 'pgoutput',
    'publication.name': PUBLICATION,
    'publication.autocreate.mode': 'disabled',
    'table.include.list': 'public.orders',
    'offset.storage': 'org.apache.kafka.connect.storage.MemoryOffsetBackingStore',
  };
}

async function debezium(cluster: Cluster, client: pg.Client, phase: Phase, passes: PeerRun[]): Promise<Run> {
  const others = busySeconds();
  const { result: both, walsender: coldSender } = await withCopy(client, phase, (cold) =>
    withCopy(client, phase, (warm) => {
      const stream = { 'snapshot.mode': 'no_data', '1:slot.name': cold, '2:slot.name': warm };
      return debeziumPasses({ ...debeziumConnector(cluster.url), ...stream }, phase.events);
    }),
  );
  // Of both passes, over all events.
  const busy = (busySeconds() - others - both.result.cpu - coldSender - both.walsender) / 2;
  const runIn = ({ events, seconds, cpuSeconds = 0, firstEventSeconds, peakMb }: Told, sender: number): PeerRun => ({
    ...runOf(events, seconds, cpuSeconds, sender, busy + cpuSeconds + sender),
    firstEventSeconds,
    peakMb,
  });
  passes.push(runIn(both.result.cold, coldSender));
  return runIn(both.result.warm, both.walsender);
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
  const others = built(
    {
      debezium: {
        file: DEBEZIUM_JAR,
        how: 'mvn package -f bench/peers/debezium/pom.xml',
        run: () => debezium(cluster, client, phase, cold),
      },
      pg_walstream: {
        file: WALSTREAM,
        how: 'cargo build --release --manifest-path bench/peers/walstream/Cargo.toml',
        run: () => walstream(cluster, client, phase),
      },
    },
    log,
  );
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
