// Mosquitto as a service for tests: on loopback with a login, with the sessions of clients in its folder.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer, ServiceDefinition } from './definition.ts';
import { mosquittoHandshake } from './mosquitto-handshake.ts';
import { mosquittoSystem } from './mosquitto-install.ts';
import { type ProcessId, run, startTime } from './processes.ts';

export const MOSQUITTO_USER = 'test';

export const mosquitto: ServiceDefinition = {
  name: 'mosquitto',
  wherePossible: true,
  urlVariable: 'CDC_TEST_MQTT_URL',
  firstPort: 18_883,
  startTimeoutMs: 30_000,
  accounts: [],
  container: null,
  installs: [mosquittoSystem],
  stopSignals: ['SIGTERM'],
  handshake: mosquittoHandshake,
  url: (port, password) => `mqtt://${MOSQUITTO_USER}:${password}@127.0.0.1:${port}`,
  prepare: (server) => prepareMosquitto(server),
  findRunning,
  command: ({ bin, folder }) => ({ file: join(bin, 'mosquitto'), args: ['-c', join(folder, 'mosquitto.conf')] }),
};

/** Writes the settings and the file of logins. */
export async function prepareMosquitto(
  { bin, folder, port, password }: Pick<LocalServer, 'bin' | 'folder' | 'port' | 'password'>,
  settings: readonly string[] = [],
): Promise<void> {
  mkdirSync(join(folder, 'data'), { recursive: true });
  const passwords = join(folder, 'passwords');
  writeFileSync(passwords, `${MOSQUITTO_USER}:${password}\n`, { mode: 0o600 });
  // Replaces the texts by their hashes.
  await run(join(bin, '..', 'bin', 'mosquitto_passwd'), ['-U', passwords]);
  const own = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous false',
    `password_file ${passwords}`,
    `pid_file ${pidFile(folder)}`,
    // As it is started by root it would become another account, which may not reach the folder.
    'user root',
    'persistence true',
    `persistence_location ${join(folder, 'data')}/`,
    // By itself it drops what a client has not fetched beyond 1,000 messages.
    'max_queued_messages 0',
    'max_inflight_messages 1000',
    'log_dest stderr',
    'log_type error',
    'log_type warning',
  ];
  writeFileSync(join(folder, 'mosquitto.conf'), [...own, ...settings, ''].join('\n'), { mode: 0o600 });
}

const pidFile = (folder: string): string => join(folder, 'mosquitto.pid');

/** A server that still runs although the state file does not know it (a crash, a removed state file). */
async function findRunning(folder: string): Promise<ProcessId | null> {
  if (!existsSync(pidFile(folder))) return null;
  const pid = Number(readFileSync(pidFile(folder), 'utf8').trim());
  const startedAt = startTime(pid);
  if (startedAt === null) return null;
  const command = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => '');
  return command.includes(folder) ? { pid, startedAt } : null;
}
