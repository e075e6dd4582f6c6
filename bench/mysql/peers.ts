// Other programs on the same file of the log, in turn with ours to an NDJSON file: Debezium's engine to /dev/null, Maxwell to a file.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { against, built, DEBEZIUM_JAR, debeziumPasses, PEERS, type PeerRun } from '../lib/peers.ts';
import { busySeconds, cpuSeconds, inFolder, statusOf } from '../lib/processes.ts';
import { type Run, rounds, runOf } from '../lib/rounds.ts';
import { type Bench, drain } from './measure.ts';
import { connect, LOGIN, type Server } from './server.ts';
import type { Phase } from './workload.ts';

/** Its newest on Maven writes nothing from MySQL 8. */
const MAXWELL = join(PEERS, 'maxwell/target'),
  MAXWELL_JAR = join(MAXWELL, 'maxwell-peer-1.jar'),
  MAXWELL_BUILD = 'mvn package -f bench/peers/maxwell/pom.xml';
const LINE_FEED = 0x0a;
const LOOK_MS = 20,
  MAXWELL_MS = 300_000;

const CONNECTORS = {
  mariadb: { 'connector.class': 'io.debezium.connector.mariadb.MariaDbConnector', 'database.ssl.mode': 'disable' },
  mysql: { 'connector.class': 'io.debezium.connector.mysql.MySqlConnector', 'driver.allowPublicKeyRetrieval': 'true' },
} as const;

/** The beginning of a file as Debezium stores it: it asks by GTID where the server has them. */
async function placeOf(server: Server, flavor: Bench['flavor'], file: string): Promise<object> {
  const client = await connect(server);
  const [rows] =
    flavor === 'mariadb'
      ? await client.query<RowDataPacket[]>('SELECT BINLOG_GTID_POS(?, 4) AS Info', [file])
      : await client.query<RowDataPacket[]>('SHOW BINLOG EVENTS IN ? LIMIT 2', [file]);
  await client.end();
  // The second event of a file of MySQL says what was before it.
  return { ts_sec: 1, file, pos: 4, gtids: rows.at(-1)?.['Info'] };
}

/** From the beginning of the file: the place is given as a stored offset, and the schema read at the start. */
async function debezium({ server, flavor }: Bench, { file, events }: Phase, passes: PeerRun[]): Promise<Run> {
  const place = await placeOf(server, flavor, file);
  const others = busySeconds(),
    before = cpuSeconds(server.pid) ?? 0;
  const { cold, warm, cpu } = await debeziumPasses(
    {
      ...CONNECTORS[flavor],
      'database.port': String(server.port),
      'database.user': LOGIN.user,
      'database.password': LOGIN.password,
      'database.server.id': '9001',
      'database.include.list': 'shop',
      'table.include.list': 'shop.orders',
      'include.schema.changes': 'false',
      'snapshot.mode': 'recovery',
      'schema.history.internal': 'io.debezium.relational.history.MemorySchemaHistory',
      'offset.storage': 'bench.StartAt',
      'bench.offset.key': '["bench",{"server":"bench"}]',
      'bench.offset.value': JSON.stringify(place),
    },
    events,
  );
  const sent = ((cpuSeconds(server.pid) ?? 0) - before) / 2,
    busy = (busySeconds() - others - cpu) / 2;
  const [first, second] = [cold, warm].map(({ seconds, cpuSeconds: own = 0, firstEventSeconds, peakMb, ...told }) => ({
    ...runOf(told.events, seconds, own, sent, busy + own),
    firstEventSeconds,
    peakMb,
  })) as [PeerRun, PeerRun];
  passes.push(first);
  return second;
}

/** Until its file has as many lines as there are events; CPU from the first line on. */
async function maxwell({ server }: Bench, { file, events }: Phase): Promise<PeerRun> {
  const others = busySeconds();
  return inFolder(async (folder) => {
    const out = join(folder, 'maxwell.ndjson'),
      began = performance.now();
    const running = spawn(
      'java',
      ['-Xmx1g', '-cp', `${MAXWELL_JAR}:${MAXWELL}/lib/*`, 'com.zendesk.maxwell.Maxwell']
        .concat('--host=127.0.0.1', `--port=${server.port}`, `--user=${LOGIN.user}`, `--password=${LOGIN.password}`)
        .concat('--producer=file', `--output_file=${out}`, '--jdbc_options=useSSL=false&allowPublicKeyRetrieval=true&serverTimezone=UTC')
        .concat(`--init_position=${file}:4:0`, '--filter=exclude: *.*, include: shop.orders'),
      { stdio: 'ignore' },
    );
    const pid = running.pid as number,
      ended = new Promise<void>((resolve) => running.once('close', () => resolve()));
    const seen = { lines: 0, bytes: 0, firstMs: 0, firstLines: 0, firstCpu: 0 };
    try {
      for (; seen.lines < events; await sleep(LOOK_MS)) {
        if (running.exitCode !== null || performance.now() - began > MAXWELL_MS)
          throw new Error(`Maxwell wrote ${seen.lines} of ${events} events`);
        countLines(out, seen);
        if (seen.firstLines > 0 || seen.lines === 0) continue;
        Object.assign(seen, { firstMs: performance.now(), firstLines: seen.lines, firstCpu: cpuSeconds(pid) ?? 0 });
      }
      const seconds = (performance.now() - seen.firstMs) / 1000,
        cpu = (cpuSeconds(pid) ?? 0) - seen.firstCpu,
        { peak = Number.NaN } = statusOf(pid) ?? {};
      const run = runOf(events - seen.firstLines, seconds, cpu, 0, busySeconds() - others);
      return { ...run, firstEventSeconds: (seen.firstMs - began) / 1000, peakMb: peak };
    } finally {
      running.kill();
      await ended;
    }
  });
}

/** Lines that were added since. */
function countLines(path: string, seen: { lines: number; bytes: number }): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return; // not there yet
  }
  const block = Buffer.allocUnsafe(1 << 20);
  for (let n = readSync(file, block, 0, block.length, seen.bytes); n > 0; n = readSync(file, block, 0, block.length, seen.bytes)) {
    for (let i = 0; i < n; i++) if (block[i] === LINE_FEED) seen.lines++;
    seen.bytes += n;
  }
  closeSync(file);
}

/** `peakMb`: of our program over the same events. */
export async function peers(bench: Bench, phase: Phase, count: number, peakMb: number, log: (line: string) => void): Promise<object> {
  const cold: PeerRun[] = [];
  const others = built<() => Promise<Run>>(
    {
      debezium: { file: DEBEZIUM_JAR, how: 'mvn package -f bench/peers/debezium/pom.xml', run: () => debezium(bench, phase, cold) },
      ...(bench.flavor === 'mariadb' ? { maxwell: { file: MAXWELL_JAR, how: MAXWELL_BUILD, run: () => maxwell(bench, phase) } } : {}),
    },
    log,
  );
  const runs = await rounds(count, { file: () => drain(bench, phase, 'file'), ...others }),
    ours = runs['file'] as readonly Run[];
  return {
    events: phase.events,
    peak_mb: peakMb,
    ...Object.fromEntries(Object.keys(others).map((name) => [name, against(ours, runs[name] as readonly PeerRun[], peakMb)])),
    ...(cold.length > 0 ? { debezium_cold: against(ours, cold, peakMb) } : {}),
    raw: runs,
  };
}
