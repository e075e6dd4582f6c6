// A server of MySQL or MariaDB of the test's own, in a temporary folder, that may be killed: the one for tests serves others, too.

import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { serviceByName } from '../../scripts/services/catalog.ts';
import type { Account, Installation, LocalServer, ServiceDefinition } from '../../scripts/services/definition.ts';
import { reachableFolder } from '../../scripts/services/home.ts';
import { isAlive, type ProcessId, plainEnvironment, run, startDetached } from '../../scripts/services/processes.ts';
import { accountFor } from '../../scripts/services/up.ts';
import { ownPorts } from '../helpers/own-ports.ts';

const START_TIMEOUT_MS = 90_000;
const DATABASE = 'shop';
/** Stands in the script of a first start for the password to come. */
const NO_PASSWORD = 'no-password-yet';
/** What was committed outlives the process, and pages are whole: the servers for other tests care for neither. */
const DURABLE = ['--innodb-flush-log-at-trx-commit=2', '--innodb-doublewrite=1'];

export interface MysqlPrograms {
  readonly service: ServiceDefinition;
  readonly installation: Installation;
}

/** `mariadb`, `mysql`, `mysql57`; `null` where there are no programs, with the reason printed once. Where `CI` is set that is an error. */
export async function findMysql(name: string): Promise<MysqlPrograms | null> {
  const service = serviceByName(name),
    place = reachableFolder((await accountFor(service)) !== null);
  for (const install of service.installs) {
    const installation = await install.find(place, () => undefined).catch(() => null);
    if (installation !== null) return { service, installation };
  }
  const reason = `no programs of ${name} to start a server with that may be killed`;
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return null;
}

/** For tests that run only where such a server answers: then there are programs, too. */
export async function startOwnMysql(name: string, settings: readonly string[] = []): Promise<OwnMysql> {
  const programs = await findMysql(name);
  if (programs === null) throw new Error(`${name} answers, and has no programs`);
  return OwnMysql.start(programs, settings);
}

export class OwnMysql implements AsyncDisposable {
  /** Of the database `shop`. */
  readonly url: string;
  readonly #service: ServiceDefinition;
  readonly #server: LocalServer;
  readonly #settings: readonly string[];
  #process: ProcessId | null = null;

  private constructor(service: ServiceDefinition, server: LocalServer, settings: readonly string[]) {
    this.#service = service;
    this.#server = server;
    this.#settings = settings;
    this.url = `${service.url(server.port, server.password)}${DATABASE}`;
  }

  /** `settings`: `--name=value`, over those that all servers for tests have. A replica makes no database: its primary has one. */
  static async start({ service, installation }: MysqlPrograms, settings: readonly string[] = [], isReplica = false): Promise<OwnMysql> {
    const folder = mkdtempSync(join(tmpdir(), 'cdc-chaos-mysql-')),
      account = await accountFor(service),
      server = { bin: installation.bin, folder, port: await ownPorts(), password: randomBytes(12).toString('hex'), account };
    if (account !== null) chownSync(folder, account.uid, account.gid);
    await run('cp', ['-Rp', `${await madeOnce({ service, installation }, account)}/.`, folder]);
    const script = join(folder, 'init.sql');
    writeFileSync(script, readFileSync(script, 'utf8').replaceAll(NO_PASSWORD, server.password));
    const own = new OwnMysql(service, server, settings);
    await own.start();
    if (!isReplica) await own.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`, '');
    return own;
  }

  /** Resolves once it answers. What a killed server left behind holds its files for a moment: then it is tried again. */
  async start(): Promise<void> {
    const { file, args } = this.#service.command(this.#server),
      { folder, account } = this.#server,
      all = [...args, ...DURABLE, ...this.#settings];
    for (const began = performance.now(); ; await sleep(20)) {
      if (this.#process === null || !isAlive(this.#process))
        this.#process = startDetached(file, all, join(folder, 'log'), { account, cwd: folder, env: plainEnvironment() });
      if (await this.#answers()) return;
      if (performance.now() - began > START_TIMEOUT_MS) throw new Error(`the server does not start: see ${folder}/log`);
    }
  }

  /** A replica of this server by transaction ids, which logs what it applies. `settings`: as for `start`. */
  async startReplica(programs: MysqlPrograms, settings: readonly string[] = []): Promise<OwnMysql> {
    const replica = await OwnMysql.start(programs, ['--server-id=2', '--log-slave-updates=ON', ...settings], true),
      { port, password } = this.#server;
    const isMariadb = this.#service.name.startsWith('mariadb'),
      way = isMariadb ? 'MASTER_USE_GTID = slave_pos' : 'MASTER_AUTO_POSITION = 1, GET_MASTER_PUBLIC_KEY = 1';
    await replica.query(
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${port}, MASTER_USER = 'root', MASTER_PASSWORD = '${password}', ${way}; START SLAVE`,
      '',
    );
    return replica;
  }

  /** The end of replication: from here on it is written to. */
  async promote(): Promise<void> {
    await this.query('STOP SLAVE; RESET SLAVE ALL', '');
  }

  /** Of the files of the log, and what else there is. */
  get dataFolder(): string {
    return join(this.#server.folder, 'data');
  }

  /** SIGKILL, in the midst of whatever it does. */
  killAll(): void {
    if (this.#process !== null && isAlive(this.#process)) process.kill(this.#process.pid, 'SIGKILL');
  }

  /** KILL of a thread: one that sends the log, or one of a client. `false`: there was none. */
  async killThread(kind: 'dump' | 'client'): Promise<boolean> {
    const command = kind === 'dump' ? "LIKE 'Binlog Dump%'" : "NOT LIKE 'Binlog Dump%' AND COMMAND <> 'Daemon'";
    try {
      const [found] = await this.#once<{ id: string }>(
        `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND ${command} AND ID <> CONNECTION_ID() AND USER = 'root' ORDER BY RAND() LIMIT 1`,
      );
      if (found === undefined) return false;
      await this.#once(`KILL CONNECTION ${found.id}`);
      return true;
    } catch {
      return false;
    }
  }

  /** Again where the server has not come back yet: for reading, and what may be done twice. Values are texts. */
  async query<Row = Record<string, string | null>>(text: string, database = DATABASE): Promise<Row[]> {
    for (const began = performance.now(); ; await sleep(20)) {
      try {
        return await this.#once<Row>(text, database);
      } catch (error) {
        const isAway = /^(ECONN|EPIPE|PROTOCOL_CONNECTION_LOST|ER_SERVER_SHUTDOWN)/.test(String((error as { code?: unknown }).code));
        if (!isAway || performance.now() - began > START_TIMEOUT_MS) throw error;
      }
    }
  }

  /** A connection of the caller's own, who ends it. */
  async connect(database = DATABASE): Promise<mysql.Connection> {
    const url = new URL(this.url);
    const connection = await mysql.createConnection({
      host: url.hostname,
      port: Number(url.port),
      user: url.username,
      password: url.password,
      ...(database === '' ? {} : { database }),
      multipleStatements: true,
      charset: 'utf8mb4',
      typeCast: (field: { string(): string | null }) => field.string(),
    });
    connection.on('error', () => {});
    return connection;
  }

  /** On a connection of its own, since none outlives a kill. */
  async #once<Row = Record<string, string | null>>(text: string, database = ''): Promise<Row[]> {
    const connection = await this.connect(database);
    try {
      const [rows] = await connection.query<RowDataPacket[]>(text);
      return Array.isArray(rows) ? (rows as Row[]) : [];
    } finally {
      connection.destroy();
    }
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#once('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.killAll();
    await sleep(200);
    rmSync(this.#server.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/**
 * The folder of a server that was never started, to be copied: making it takes longer than all else in a start. It is kept beside the
 * downloads; who comes second in making it throws its own away.
 */
async function madeOnce({ service, installation }: MysqlPrograms, account: Account | null): Promise<string> {
  const place = reachableFolder(account !== null),
    made = join(place, `made-${service.name}-${installation.version}`);
  if (existsSync(made)) return made;
  const folder = mkdtempSync(join(place, 'making-'));
  if (account !== null) chownSync(folder, account.uid, account.gid);
  await service.prepare({ bin: installation.bin, folder, port: 0, password: NO_PASSWORD, account }, installation.version);
  // A server with this has the identity of another one.
  rmSync(join(folder, 'data', 'auto.cnf'), { force: true });
  try {
    renameSync(folder, made);
  } catch {
    rmSync(folder, { recursive: true, force: true });
  }
  return made;
}
