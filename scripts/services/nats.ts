// NATS as a service for tests: on loopback with a user and a password, JetStream in its own folder. `nats` is the newest server, by
// Go from its own source; `nats@2.9` is Debian's, which has no atomic batches.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Install, LocalServer, ServiceDefinition } from './definition.ts';
import { natsHandshake } from './nats-handshake.ts';
import { natsByDebian, natsByGo } from './nats-install.ts';
import { type ProcessId, run, startTime } from './processes.ts';

export const NATS_USER = 'cdc';

export const nats: ServiceDefinition = natsOf('nats', 'CDC_TEST_NATS_URL', 14_222, natsByGo);
export const nats29: ServiceDefinition = natsOf('nats@2.9', 'CDC_TEST_NATS_29_URL', 14_322, natsByDebian);

function natsOf(name: string, urlVariable: string, firstPort: number, install: Install): ServiceDefinition {
  return {
    name,
    urlVariable,
    firstPort,
    wherePossible: true,
    startTimeoutMs: 30_000,
    accounts: [],
    container: null,
    installs: [install],
    stopSignals: ['SIGTERM'],
    handshake: natsHandshake,
    url: (port, password) => `nats://${NATS_USER}:${password}@127.0.0.1:${port}`,
    prepare,
    findRunning,
    command: (server) => ({ file: join(server.bin, 'nats-server'), args: ['-c', configOf(server.folder)] }),
  };
}

const configOf = (folder: string): string => join(folder, 'nats.conf');
const pidFile = (folder: string): string => join(folder, 'nats.pid');

/** The password stands in a file of ours and not among the arguments, which everybody on the machine can read. */
async function prepare(server: LocalServer): Promise<void> {
  const data = join(server.folder, 'data');
  mkdirSync(data, { recursive: true });
  const settings = [
    `listen: "127.0.0.1:${server.port}"`,
    `pid_file: "${pidFile(server.folder)}"`,
    `jetstream: {store_dir: "${data}", max_memory_store: 256MB, max_file_store: 4GB}`,
    `authorization: {users: [{user: ${NATS_USER}, password: "${server.password}"}, {user: nobody, password: "${server.password}", permissions: {publish: "none", subscribe: "_INBOX.>"}}]}`,
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
