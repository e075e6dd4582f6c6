// RabbitMQ as a service for tests: a node of its own name in its own folder, on loopback. Erlang's name server, which a node would
// start as a daemon that outlives it, is started before it in the same session, on a port of its own, and ends with it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer, ServiceDefinition } from './definition.ts';
import { type ProcessId, run, startTime } from './processes.ts';
import { rabbitmqHandshake } from './rabbitmq-handshake.ts';
import { rabbitmqSystem } from './rabbitmq-install.ts';

/** Ports from that of the protocol on. */
const PORTS = { distribution: 1, names: 2 } as const;
export const RABBITMQ_USER = 'test';

export const rabbitmq: ServiceDefinition = {
  name: 'rabbitmq',
  wherePossible: true,
  urlVariable: 'CDC_TEST_RABBITMQ_URL',
  firstPort: 18_672,
  startTimeoutMs: 180_000,
  accounts: [],
  container: null,
  installs: [rabbitmqSystem],
  stopSignals: ['SIGTERM'],
  handshake: rabbitmqHandshake,
  url: (port, password) => `amqp://${RABBITMQ_USER}:${password}@127.0.0.1:${port}`,
  prepare: async (server) => prepareRabbitmq(server),
  findRunning,
  command: ({ folder }) => ({ file: '/bin/sh', args: [join(folder, 'start.sh')] }),
};

const SETTINGS = [
  'log.console = true',
  'log.console.level = warning',
  'log.file = false',
  // The machine of a test may be short of both.
  'disk_free_limit.absolute = 50MB',
  'vm_memory_high_watermark.absolute = 1GB',
];

/** Two schedulers that do not spin: a server that waits costs nothing. */
const ERLANG = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}';

type Place = Pick<LocalServer, 'bin' | 'folder' | 'port' | 'password'>;

/** Writes what a node needs into its folder: settings, and the script that runs it. */
export function prepareRabbitmq(server: Place, settings: readonly string[] = [`listeners.tcp.1 = 127.0.0.1:${server.port}`]): void {
  const { bin, folder, port, password } = server,
    at = (name: string): string => join(folder, name);
  for (const name of ['data', 'log']) mkdirSync(at(name), { recursive: true });
  const login = [`default_user = ${RABBITMQ_USER}`, `default_pass = ${password}`];
  writeFileSync(at('rabbitmq.conf'), [...settings, ...login, ...SETTINGS, ''].join('\n'), { mode: 0o600 });
  writeFileSync(at('enabled_plugins'), '[].\n');
  const variables = Object.entries(rabbitmqEnvironment(server)).map(([name, value]) => `export ${name}='${value}'`);
  writeFileSync(
    at('start.sh'),
    [
      '#!/bin/sh',
      ...variables,
      `epmd -address 127.0.0.1 -port ${port + PORTS.names} &`,
      'names=$!',
      `'${join(bin, 'rabbitmq-server')}' &`,
      'server=$!',
      `trap 'kill -TERM $server' TERM INT`,
      // A signal ends a wait, not the server.
      'while kill -0 $server 2>/dev/null; do wait $server; done',
      'kill $names',
      '',
    ].join('\n'),
    { mode: 0o700 },
  );
}

/** For the node and the tools that talk to it. */
export function rabbitmqEnvironment({ folder, port }: Omit<Place, 'bin' | 'password'>): Record<string, string> {
  return {
    HOME: folder,
    RABBITMQ_NODENAME: `cdc_run_${port}@localhost`,
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: pidFile(folder),
    RABBITMQ_DIST_PORT: String(port + PORTS.distribution),
    ERL_EPMD_PORT: String(port + PORTS.names),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: ERLANG,
  };
}

const pidFile = (folder: string): string => join(folder, 'rabbitmq.pid');

/** A node that still runs although the state file does not know it (a crash, a removed state file). */
async function findRunning(folder: string): Promise<ProcessId | null> {
  if (!existsSync(pidFile(folder))) return null;
  const pid = Number(readFileSync(pidFile(folder), 'utf8').trim());
  const startedAt = startTime(pid);
  if (startedAt === null) return null;
  const command = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => '');
  return command.includes(folder) ? { pid, startedAt } : null;
}
