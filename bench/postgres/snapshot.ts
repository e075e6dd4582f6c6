// The rows of a table as snapshot events to JSON, against the server's own COPY of the same table into nothing.

import { join } from 'node:path';
import type pg from 'pg';
import { median, round } from '../lib/cpu.ts';
import type { DrainTask } from '../lib/drain.ts';
import { debeziumPasses } from '../lib/peers.ts';
import { drainChild, inFolder, outputOf, programMemory } from '../lib/processes.ts';
import type { Cluster } from './cluster.ts';
import { drop, JSON_TO_NOWHERE, pipelineOf } from './measure.ts';
import { debeziumConnector } from './peers.ts';

const SLOT = 'bench_snapshot';

export async function snapshotRun(
  cluster: Cluster,
  client: pg.Client,
  rows: number,
  rounds: number,
  withPeers: boolean,
  log: (line: string) => void,
): Promise<object> {
  const there = Number((await client.query<{ n: string }>('SELECT count(*) AS n FROM orders')).rows[0]?.n);
  if (there < rows) await client.query(`CALL insert_orders(10000000, ${Math.ceil((rows - there) / 1000) * 1000})`);
  const { rows: counted } = await client.query<{ n: string }>('SELECT count(*) AS n FROM orders');
  const count = Number(counted[0]?.n);
  await client.query('VACUUM ANALYZE orders');
  const runs: { readonly copyPerSecond: number; readonly perSecond: number; readonly cpu: number; readonly rssMb: number }[] = [];
  const theirs: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const began = performance.now();
    await outputOf(join(cluster.bin, 'psql'), ['-q', cluster.url, '-o', '/dev/null', '-c', 'COPY orders TO STDOUT']);
    const copyPerSecond = (count / (performance.now() - began)) * 1000;
    const result = await inFolder((folder) => {
      const pipeline = pipelineOf(cluster.url, folder, {
        slot: SLOT,
        source: { snapshot_mode: 'initial_only' },
        destination: JSON_TO_NOWHERE,
      });
      const task: DrainTask = { pipeline, source: 'postgresql', destination: 'null', events: count };
      return drainChild(task);
    });
    await drop(client, SLOT);
    const perSecond = count / (result.seconds - result.firstEventSeconds);
    runs.push({ copyPerSecond, perSecond, cpu: result.cpuMicrosPerEvent, rssMb: result.rssMb });
    if (withPeers) theirs.push(await debeziumRate(cluster, client, count));
    log(
      `snapshot ${Math.round(perSecond)} rows/s  CPU µs ${result.cpuMicrosPerEvent.toFixed(2)}; COPY ${Math.round(copyPerSecond)} rows/s`,
    );
  }
  const overDebezium = runs.map((r, i) => r.perSecond / (theirs[i] ?? Number.NaN));
  const memory = await inFolder((folder) => {
    const pipeline = pipelineOf(cluster.url, folder, {
      slot: SLOT,
      source: { snapshot_mode: 'initial_only' },
      destination: JSON_TO_NOWHERE,
    });
    return programMemory(folder, pipeline, count);
  });
  await drop(client, SLOT);
  return {
    rows: count,
    rate_over_copy: round(Math.max(...runs.map((r) => r.perSecond / r.copyPerSecond)), 2),
    ...(withPeers ? { rate_over_debezium: round(Math.max(...overDebezium), 2), debezium_rows_per_second: theirs.map(Math.round) } : {}),
    cpu_us_per_row: round(Math.min(...runs.map((r) => r.cpu)), 2),
    rss_mb: Math.round(median(runs.map((r) => r.rssMb))),
    memory,
    raw: runs,
  };
}

/** Rows per second of Debezium's warm pass, from the first row to the last one. */
async function debeziumRate(cluster: Cluster, client: pg.Client, rows: number): Promise<number> {
  const slots = ['bench_snapshot_cold', 'bench_snapshot_warm'] as const;
  const only = { 'snapshot.mode': 'initial_only', 'snapshot.fetch.size': '10000', '1:slot.name': slots[0], '2:slot.name': slots[1] };
  const { warm } = await debeziumPasses({ ...debeziumConnector(cluster.url), ...only }, rows);
  // It makes one only where it also reads the log.
  for (const slot of slots)
    await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [slot]);
  return rows / warm.seconds;
}
