// PostgreSQL servers of the benchmark's own: set up for speed instead of safety, thrown away afterwards.

import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Account } from '../../scripts/services/definition.ts';
import { systemInstall } from '../../scripts/services/postgres-install.ts';
import { plainEnvironment, run, startDetached, stop } from '../../scripts/services/processes.ts';

/** Nothing here survives a crash of the machine. A checkpoint or a vacuum in the middle would be measured with the rest. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'wal_level=logical',
  'max_wal_senders=10',
  'max_replication_slots=40',
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'autovacuum=off',
  'shared_buffers=1GB',
  'max_wal_size=8GB',
  'checkpoint_timeout=1h',
];
const START_TIMEOUT_MS = 30_000;

export interface Cluster extends AsyncDisposable {
  readonly url: string;
  /** Folder with the server's programs. */
  readonly bin: string;
}

export async function startCluster(): Promise<Cluster> {
  const installed = await systemInstall(null).find('', () => {});
  if (installed === null) throw new Error('PostgreSQL is not installed');
  const { bin } = installed,
    account = serverAccount(),
    folder = mkdtempSync(join(tmpdir(), 'cdc-bench-postgres-'));
  chmodSync(folder, 0o755);
  if (account !== null) chownSync(folder, account.uid, account.gid);
  const options = { account, cwd: folder, env: plainEnvironment() },
    data = join(folder, 'data'),
    port = await freePort();
  await run(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'], options);
  const args = ['-D', data, '-p', String(port), ...SETTINGS.flatMap((s) => ['-c', s])];
  const server = startDetached(join(bin, 'postgres'), args, join(tmpdir(), 'cdc-bench-postgres.log'), options);
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  await answers(url);
  return {
    url,
    bin,
    async [Symbol.asyncDispose]() {
      await stop(server, ['SIGINT', 'SIGQUIT']);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The server refuses to run as root. */
function serverAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function answers(url: string): Promise<void> {
  for (const until = performance.now() + START_TIMEOUT_MS; ; await sleep(100)) {
    try {
      await (await connect(url)).end();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

const TICKS_PER_SECOND = 100;

/** User and system CPU of a process so far, in seconds; `null` when it is gone. */
export function cpuSeconds(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold anything: fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

/** CPU of all processes of the machine so far, in seconds. */
export function busySeconds(): number {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields;
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
