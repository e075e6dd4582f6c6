// A process of its own: the transport alone. Packets are taken and counted, nothing in them is looked at.

import type * as sdk from '../../src/sdk/index.ts';
import type * as opening from '../../src/sources/mysql/dump/open.ts';
import type * as packets from '../../src/sources/mysql/dump/packets.ts';
import { built } from '../lib/built.ts';

const { openDump } = (await built('sources/mysql/dump/open')) as typeof opening;
const { ServerRefusal } = (await built('sources/mysql/dump/packets')) as typeof packets;
const { systemClock } = (await built('sdk/index')) as typeof sdk;

export interface TransportTask {
  readonly flavor: 'mysql' | 'mariadb';
  readonly login: { readonly host: string; readonly port: number; readonly user: string; readonly password: string };
  readonly file: string;
  /** Packets are taken until so many bytes of them have come. */
  readonly bytes: number;
}
export interface ReaderResult {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const task = JSON.parse(process.argv[2] as string) as TransportTask;
const endpoint = { ...task.login, database: null, sslMode: 'disable' } as unknown as Parameters<typeof openDump>[0]['endpoint'];
const { signal } = new AbortController();
const began = performance.now(),
  cpu = process.cpuUsage();
const stream = await openDump(
  { endpoint, connectionTimeoutMs: 5000 },
  { flavor: task.flavor } as Parameters<typeof openDump>[1],
  {
    serverId: 7001,
    uuid: '10b7a5f0-9c3e-11d2-8000-000000000001',
    name: 'bench',
    start: { by: 'address', address: { file: task.file, position: 4 } },
    heartbeatMs: 10_000,
    maxBytes: 8 << 20,
    clock: systemClock,
  },
  signal,
);
let bytes = 0;
while (bytes < task.bytes) {
  const packets = await stream.next(signal);
  if (packets === null) throw new ServerRefusal(0, 'the stream ended');
  bytes += packets.size;
}
const { user, system } = process.cpuUsage(cpu);
const result: ReaderResult = { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 };
stream.close();
console.log(JSON.stringify(result));
