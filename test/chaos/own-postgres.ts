// A PostgreSQL server of the test's own, in a temporary folder, that may be killed: the one for tests serves others, too.

import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { serviceByName } from '../../scripts/services/catalog.ts';
import type { Account, Installation, LocalServer } from '../../scripts/services/definition.ts';
import { reachableFolder } from '../../scripts/services/home.ts';
import { isAlive, type ProcessId, plainEnvironment, run, startDetached } from '../../scripts/services/processes.ts';
import { accountFor } from '../../scripts/services/up.ts';
import { eventually } from '../helpers/eventually.ts';
import { ownPorts } from '../helpers/own-ports.ts';

/** Of the version that the tests are run with. */
const postgres = serviceByName('postgres');
const START_TIMEOUT_MS = 60_000;

/** PostgreSQL's programs; `null` where there are none, with the reason printed once. Where `CI` is set that is an error. */
export async function findPostgres(): Promise<Installation | null> {
  const place = reachableFolder((await accountFor(postgres)) !== null);
  for (const install of postgres.installs) {
    const found = await install.find(place, () => undefined).catch(() => null);
    if (found !== null) return found;
  }
  const reason = 'no programs of PostgreSQL to start a server with that may be killed';
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return null;
}

type BackendType = 'client backend' | 'walsender';

export class OwnPostgres implements AsyncDisposable {
  readonly url: string;
  readonly #server: LocalServer;
  readonly #settings: readonly string[];
  #process: ProcessId | null = null;

  private constructor(server: LocalServer, settings: readonly string[]) {
    this.#server = server;
    this.#settings = settings;
    this.url = postgres.url(server.port, server.password);
  }

  /** `settings`: `name=value`, over those that all servers for tests have. */
  static async start({ bin, version }: Installation, settings: readonly string[] = []): Promise<OwnPostgres> {
    const server = await newServer(bin, randomBytes(12).toString('hex'));
    await postgres.prepare(server, version);
    const own = new OwnPostgres(server, settings);
    await own.start();
    return own;
  }

  /** A standby of this server, which follows it until it is promoted. `settings`: over those of this server. */
  async startStandby(settings: readonly string[] = []): Promise<OwnPostgres> {
    const { bin, password, account } = this.#server,
      server = await newServer(bin, password);
    await copyCluster(this.url, join(this.#server.folder, 'data'), join(server.folder, 'data'), account);
    const standby = new OwnPostgres(server, [...this.#settings, ...settings]);
    await standby.start();
    return standby;
  }

  /** Resolves once it answers. What a killed server left behind holds its memory for a moment: then it is tried again. */
  async start(): Promise<void> {
    const { file, args } = postgres.command(this.#server),
      all = [...args, ...this.#settings.flatMap((s) => ['-c', s])],
      { folder, account } = this.#server;
    for (const began = performance.now(); ; await sleep(20)) {
      if (this.#process === null || !isAlive(this.#process))
        this.#process = startDetached(file, all, join(folder, 'log'), { account, cwd: folder, env: plainEnvironment() });
      if (await this.#answers()) break;
      if (performance.now() - began > START_TIMEOUT_MS) throw new Error(`the server does not start: see ${folder}/log`);
    }
    await this.query('ALTER SYSTEM RESET synchronous_standby_names');
    await this.query('SELECT pg_reload_conf()');
  }

  /** Until the next start: what commits is durable here and waits for a standby that never comes, so that its answer is lost by a kill. */
  async holdAnswers(): Promise<void> {
    await this.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
    await this.query('SELECT pg_reload_conf()');
  }

  /** SIGKILL of the postmaster: its backends see it and end, in the midst of whatever they do. */
  killAll(): void {
    if (this.#process !== null && isAlive(this.#process)) process.kill(this.#process.pid, 'SIGKILL');
  }

  /** SIGKILL of one backend: the postmaster ends all others and recovers. `false`: there was none. */
  async killBackend(type: BackendType = 'client backend'): Promise<boolean> {
    const pid = await this.#backend(type);
    if (pid === null) return false;
    try {
      process.kill(pid, 'SIGKILL');
      return true;
    } catch (error) {
      // It was ending when it was found: one that was terminated a moment ago is still listed.
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  /** Ends one backend as an administrator does: the others go on. */
  async terminate(type: BackendType): Promise<boolean> {
    const pid = await this.#backend(type);
    if (pid !== null) await this.#once('SELECT pg_terminate_backend($1)', [pid]).catch(() => undefined);
    return pid !== null;
  }

  async #backend(type: BackendType): Promise<number | null> {
    const [found] = await this.#once<{ pid: number }>(
      'SELECT pid FROM pg_stat_activity WHERE backend_type = $1 AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1',
      [type],
    ).catch(() => []);
    return found?.pid ?? null;
  }

  /** Again where the server has not come back yet, as after the end of a backend: for reading, and what may be done twice. */
  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    for (const began = performance.now(); ; await sleep(20)) {
      try {
        return await this.#once<Row>(text, values);
      } catch (error) {
        const isAway = /^(57P0|ECONN|EPIPE)/.test(String((error as { code?: unknown }).code)) || /terminated/.test(String(error));
        if (!isAway || performance.now() - began > START_TIMEOUT_MS) throw error;
      }
    }
  }

  /** Of a standby: resolves once it has all that its primary has written by now. */
  async replayed(primary: OwnPostgres): Promise<void> {
    const [row] = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn'),
      isThere = 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS ok';
    await eventually(async () => (await this.query(isThere, [row?.lsn]))[0]?.['ok'] === true, 'the standby follows');
  }

  /** A connection of the caller's own, who ends it. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** On a connection of its own, since none outlives a kill. */
  async #once<Row extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
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
    // Its children end by themselves once they see that it is gone, and would write to the folder until then.
    for (let waited = 0; waited < 5000 && (await this.#answers()); waited += 50) await sleep(50);
    await sleep(200);
    rmSync(this.#server.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

async function newServer(bin: string, password: string): Promise<LocalServer> {
  const folder = mkdtempSync(join(tmpdir(), 'cdc-chaos-postgres-')),
    account = await accountFor(postgres);
  if (account !== null) chownSync(folder, account.uid, account.gid);
  return { bin, folder, port: await ownPorts(), password, account };
}

/** Of one server's memory and processes, or of a log that the copy does not hold. */
const NOT_COPIED = /^(postmaster\.(pid|opts)|pg_replslot\/.+|pg_(dynshmem|notify|serial|snapshots|stat_tmp|subtrans)\/.+)$/;

/**
 * A base backup by copying files, as pg_basebackup makes one: PostgreSQL from npm comes without that program.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 */
async function copyCluster(url: string, from: string, to: string, account: Account | null): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const [version] = (await client.query<{ n: string }>("SELECT current_setting('server_version_num') AS n")).rows;
    const isOld = Number(version?.n) < 150_000;
    await client.query(isOld ? "SELECT pg_start_backup('copy', true, false)" : "SELECT pg_backup_start('copy', true)");
    await cp(from, to, { recursive: true, filter: (file) => !NOT_COPIED.test(relative(from, file)) });
    const { rows } = await client.query<{ labelfile: string }>(
      `SELECT labelfile FROM ${isOld ? 'pg_stop_backup(false, false)' : 'pg_backup_stop(false)'}`,
    );
    writeFileSync(join(to, 'backup_label'), rows[0]?.labelfile ?? '');
    // What was written during the copy is in the log that the primary still has.
    const upstream = new URL(url),
      conninfo = `host=${upstream.hostname} port=${upstream.port} user=${upstream.username} password=${upstream.password} dbname=postgres`;
    appendFileSync(join(to, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`);
    writeFileSync(join(to, 'standby.signal'), '');
    chmodSync(to, 0o700);
    if (account !== null) await run('chown', ['-R', `${account.uid}:${account.gid}`, to]);
  } finally {
    await client.end();
  }
}
