// A MySQL or MariaDB server of the benchmark's own: started by what starts those of the tests, thrown away afterwards.

import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection } from 'mysql2/promise';
import type { ServiceDefinition } from '../../scripts/services/definition.ts';
import { reachableFolder } from '../../scripts/services/home.ts';
import { plainEnvironment, startDetached, stop } from '../../scripts/services/processes.ts';
import { accountFor } from '../../scripts/services/up.ts';
import { freePort } from '../lib/processes.ts';

/** A phase is one file of the log. */
const SETTINGS = ['--max-binlog-size=1G', '--innodb-buffer-pool-size=512M', '--innodb-flush-log-at-trx-commit=0'];
const PASSWORD = 'bench';

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly pid: number;
}

export async function startServer(service: ServiceDefinition): Promise<Server> {
  const account = await accountFor(service),
    programs = reachableFolder(account !== null),
    installed = await service.installs[0]?.find(programs, (line) => process.stderr.write(`${line}\n`));
  if (installed === null || installed === undefined) throw new Error(`${service.name} cannot be had on this machine`);
  const folder = mkdtempSync(join(tmpdir(), `cdc-bench-${service.name}-`));
  chmodSync(folder, 0o755);
  if (account !== null) chownSync(folder, account.uid, account.gid);
  const server = { bin: installed.bin, folder, port: await freePort(), password: PASSWORD, account };
  await service.prepare(server, installed.version);
  const { file, args } = service.command(server),
    url = service.url(server.port, PASSWORD);
  const running = startDetached(file, [...args, ...SETTINGS], `${folder}.log`, { account, cwd: folder, env: plainEnvironment() });
  for (const until = performance.now() + service.startTimeoutMs; ; await sleep(100)) {
    try {
      await service.handshake(url);
      break;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
  return {
    url,
    port: server.port,
    version: installed.version,
    pid: running.pid,
    async [Symbol.asyncDispose]() {
      await stop(running, service.stopSignals);
      rmSync(folder, { recursive: true, force: true });
      rmSync(`${folder}.log`, { force: true });
    },
  };
}

export function connect({ url }: Server): Promise<Connection> {
  return createConnection({ uri: url, multipleStatements: true });
}

/** The server's own reader, which Debian has in `mariadb-client`; `MARIADB_BINLOG` names another place. */
export function rawReader(): string | null {
  const places = [process.env['MARIADB_BINLOG'], ...(process.env['PATH'] ?? '').split(delimiter).map((f) => join(f, 'mariadb-binlog'))];
  return places.find((p) => p !== undefined && p !== '' && existsSync(p)) ?? null;
}
export const LOGIN = { user: 'root', password: PASSWORD, host: '127.0.0.1' } as const;
