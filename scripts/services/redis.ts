// Redis as a service for tests: on loopback with a password, without files of its own, so that a stop forgets everything.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer, ServiceDefinition } from './definition.ts';
import { type ProcessId, run, startTime } from './processes.ts';
import { redisHandshake } from './redis-handshake.ts';
import { redisSystem } from './redis-install.ts';

export const redis: ServiceDefinition = {
  name: 'redis',
  urlVariable: 'CDC_TEST_REDIS_URL',
  firstPort: 16379,
  startTimeoutMs: 30_000,
  accounts: [],
  container: { service: 'redis' },
  installs: [redisSystem],
  stopSignals: ['SIGTERM'],
  handshake: redisHandshake,
  url: (port, password) => `redis://:${password}@127.0.0.1:${port}/0`,
  prepare,
  findRunning,
  command: (server) => ({ file: join(server.bin, 'redis-server'), args: [configOf(server.folder)] }),
};

const configOf = (folder: string): string => join(folder, 'redis.conf');
const pidFile = (folder: string): string => join(folder, 'redis.pid');

/** The password stands in a file of ours and not among the arguments, which everybody on the machine can read. */
async function prepare(server: LocalServer): Promise<void> {
  const data = join(server.folder, 'data');
  mkdirSync(data, { recursive: true });
  const settings = [
    'bind 127.0.0.1',
    `port ${server.port}`,
    `dir ${data}`,
    `pidfile ${pidFile(server.folder)}`,
    `requirepass ${server.password}`,
    'save ""',
    'appendonly no',
    'databases 16',
    // Its arguments name our folder: so it is known again.
    'set-proc-title no',
    'daemonize no',
  ];
  writeFileSync(configOf(server.folder), `${settings.join('\n')}\n`, { mode: 0o600 });
}

/** A server that still runs although the state file does not know it (a crash, a removed state file). */
async function findRunning(folder: string): Promise<ProcessId | null> {
  if (!existsSync(pidFile(folder))) return null;
  const pid = Number(readFileSync(pidFile(folder), 'utf8').trim());
  const startedAt = startTime(pid);
  if (startedAt === null) return null;
  const command = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => '');
  return command.includes(folder) ? { pid, startedAt } : null;
}
