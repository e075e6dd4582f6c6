// PostgreSQL as a service for tests: set up for logical replication, fast instead of durable.

import { chownSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer, ServiceDefinition } from './definition.ts';
import { postgresHandshake } from './postgres-handshake.ts';
import { npmInstall, systemInstall } from './postgres-install.ts';
import { type ProcessId, plainEnvironment, run, startTime } from './processes.ts';

const USER = 'postgres';
/** Room for tests that run side by side. `fsync=off`: the data is worth nothing after a crash of the machine. */
const SETTINGS = ['wal_level=logical', 'max_replication_slots=20', 'max_wal_senders=20', 'fsync=off', 'shared_buffers=64MB'];

/** `major`: the version of PostgreSQL as in `18`; `null` takes what is at hand. */
export const postgresOf = (major: string | null): ServiceDefinition => ({
  name: major === null ? 'postgres' : `postgres@${major}`,
  urlVariable: major === null ? 'CDC_TEST_POSTGRES_URL' : `CDC_TEST_POSTGRES_${major}_URL`,
  firstPort: 15432,
  startTimeoutMs: 90_000,
  accounts: ['postgres', 'nobody'],
  container: 'postgres',
  ...(major !== null && { containerVersion: major }),
  installs: [systemInstall(major), npmInstall(major)],
  stopSignals: ['SIGINT', 'SIGQUIT'],
  handshake: postgresHandshake,
  url: (port, password) => `postgresql://${USER}:${password}@127.0.0.1:${port}/postgres`,
  prepare,
  findRunning,
  command: (server) => ({
    file: join(server.bin, 'postgres'),
    args: [
      '-D',
      dataOf(server),
      '-p',
      String(server.port),
      ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', ...SETTINGS].flatMap((s) => ['-c', s]),
    ],
  }),
});

const dataOf = (server: LocalServer): string => join(server.folder, 'data');

/**
 * Makes the cluster. Logins need the password although the port is on loopback: other accounts of the machine could
 * otherwise run programs as ours. A folder of another major version, or one half made, is made anew.
 */
async function prepare(server: LocalServer, version: string): Promise<void> {
  const data = dataOf(server);
  const made = join(server.folder, 'made');
  const versionFile = join(data, 'PG_VERSION');
  const sameVersion = existsSync(versionFile) && version.startsWith(`${readFileSync(versionFile, 'utf8').trim()}.`);
  if (existsSync(made) && sameVersion && readFileSync(made, 'utf8') === server.password) return;
  rmSync(data, { recursive: true, force: true });
  const passwordFile = join(server.folder, 'password');
  writeFileSync(passwordFile, server.password, { mode: 0o600 });
  if (server.account !== null) chownSync(passwordFile, server.account.uid, server.account.gid);
  try {
    const args = ['-D', data, '-U', USER, `--pwfile=${passwordFile}`, '-A', 'scram-sha-256', '-E', 'UTF8', '--no-locale', '--no-sync'];
    await run(join(server.bin, 'initdb'), args, { account: server.account, cwd: server.folder, env: plainEnvironment() });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeFileSync(made, server.password, { mode: 0o600 });
}

/** A server that still runs on our data although the state file does not know it (a crash, a removed state file). */
async function findRunning(folder: string): Promise<ProcessId | null> {
  const file = join(folder, 'data', 'postmaster.pid');
  if (!existsSync(file)) return null;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  const startedAt = startTime(pid);
  if (startedAt === null) return null;
  // The id may belong to another program by now: ours has our folder among its arguments.
  const command = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => '');
  return command.includes(folder) ? { pid, startedAt } : null;
}
