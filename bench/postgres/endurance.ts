// Memory over many events: the built program follows a table that is written to all the while, and emptied now and then so that the
// disk does not fill up. The log is recycled as the slot moves.

import type pg from 'pg';
import { inFolder, type MemoryRun, programMemory } from '../lib/processes.ts';
import { type Cluster, connect } from './cluster.ts';
import { drop, JSON_TO_NOWHERE, pipelineOf } from './measure.ts';

const SLOT = 'bench_endurance';
const AT_ONCE = 500_000;

export interface EnduranceResult extends MemoryRun {
  readonly events: number;
  readonly eventsPerSecond: number;
}

export async function endurance(cluster: Cluster, client: pg.Client, events: number): Promise<EnduranceResult> {
  await client.query('TRUNCATE orders');
  await client.query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
  const writer = await connect(cluster.url),
    began = performance.now();
  const writing = (async () => {
    // More than is read, since the reader ends by its count.
    for (let written = 0; written <= events; written += AT_ONCE) {
      await writer.query(`CALL insert_orders(0, ${AT_ONCE})`);
      await writer.query('TRUNCATE orders');
      await writer.query('CHECKPOINT');
    }
  })();
  const memory = await inFolder((folder) => {
    const pipeline = pipelineOf(cluster.url, folder, { slot: SLOT, source: { on_truncate: 'ignore' }, destination: JSON_TO_NOWHERE });
    return programMemory(folder, { ...pipeline, sync: { mode: 'continuous' } }, events);
  });
  const seconds = (performance.now() - began) / 1000;
  await writing;
  await writer.end();
  await drop(client, SLOT);
  return { events, eventsPerSecond: Math.round(events / seconds), ...memory };
}
