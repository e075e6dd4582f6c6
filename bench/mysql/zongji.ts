// A process of its own: `@vlasky/zongji`, rows as objects, and of each the Debezium envelope by JSON.stringify.

import ZongJi from '@vlasky/zongji';
import type { ReaderResult } from './transport.ts';

export interface ZongjiTask {
  readonly login: { readonly host: string; readonly port: number; readonly user: string; readonly password: string };
  readonly file: string;
  readonly events: number;
}

interface RowsEvent {
  readonly timestamp: number;
  readonly nextPosition: number;
  readonly tableId: number;
  readonly tableMap: Readonly<Record<number, { readonly parentSchema: string; readonly tableName: string }>>;
  readonly rows?: readonly object[];
}

const task = JSON.parse(process.argv[2] as string) as ZongjiTask;
const reader = new (
  ZongJi as unknown as new (
    login: object,
  ) => {
    on(name: string, listener: (event: never) => void): void;
    start(options: object): void;
  }
)(task.login);
let began = 0,
  cpu = process.cpuUsage(),
  events = 0,
  bytes = 0;
reader.on('error', (error: Error) => {
  console.error(error);
  process.exit(1);
});
reader.on('binlog', (event: RowsEvent) => {
  if (event.rows === undefined) return;
  if (began === 0) {
    began = performance.now();
    cpu = process.cpuUsage();
  }
  const { parentSchema: db, tableName: table } = event.tableMap[event.tableId] as RowsEvent['tableMap'][number];
  let row = 0;
  for (const after of event.rows) {
    const source = {
      version: '0.1',
      connector: 'mysql',
      name: 'bench',
      ts_ms: event.timestamp,
      snapshot: 'false',
      db,
      table,
      server_id: 1,
    };
    const envelope = {
      before: null,
      after,
      source: { ...source, file: task.file, pos: event.nextPosition, row: row++ },
      op: 'c',
      ts_ms: Date.now(),
    };
    bytes += Buffer.from(JSON.stringify(envelope)).length;
  }
  events += event.rows.length;
  if (events < task.events) return;
  const { user, system } = process.cpuUsage(cpu);
  const result: ReaderResult = { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 };
  console.log(JSON.stringify(result));
  process.exit(bytes > 0 ? 0 : 1);
});
reader.start({ serverId: 7002, filename: task.file, position: 4, includeEvents: ['rotate', 'tablemap', 'writerows'] });
