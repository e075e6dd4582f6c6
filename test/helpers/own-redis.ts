// Servers of Redis of the test's own, in temporary folders, that may be killed: alone, as master and replica with sentinels, or as a
// cluster. Started and ended by their process ids.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { reachableFolder } from '../../scripts/services/home.ts';
import { freePort } from '../../scripts/services/ports.ts';
import { redisSystem } from '../../scripts/services/redis-install.ts';

/** Each process looks in a place of its own, and each server in another: one that is killed must find its port free when it comes back. */
let next = 22_000 + (process.pid % 80) * 100;

async function program(name: 'redis-server' | 'redis-sentinel'): Promise<string> {
  const found = await redisSystem.find(reachableFolder(false), () => undefined);
  if (found === null) throw new Error('no programs of Redis');
  return join(found.bin, name);
}

export async function portForRedis(): Promise<number> {
  const port = await freePort(next);
  next = port + 1;
  return port;
}

export interface OwnRedisOptions {
  readonly settings?: readonly string[];
  readonly program?: 'redis-server' | 'redis-sentinel';
  readonly port?: number;
  /** `port` answers by TLS only; the client of the test uses these. */
  readonly tls?: { readonly ca: string };
}

/** Durable: what it has confirmed a kill does not undo. */
const DURABLE = ['appendonly yes', 'appendfsync always'];

export class OwnRedis implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly client: Redis;
  readonly #folder: string;
  readonly #options: OwnRedisOptions;
  #process: ChildProcess | null = null;

  private constructor(port: number, options: OwnRedisOptions) {
    this.port = port;
    this.#options = options;
    this.url = `redis://127.0.0.1:${port}`;
    this.#folder = mkdtempSync(join(tmpdir(), 'cdc-redis-'));
    const settings = options.settings ?? DURABLE;
    const isTls = options.tls !== undefined;
    const own = [isTls ? `tls-port ${port}` : `port ${port}`, ...(isTls ? ['port 0'] : []), 'bind 127.0.0.1', `dir ${this.#folder}`];
    writeFileSync(this.#config, [...own, ...(options.program === 'redis-sentinel' ? [] : ['save ""']), ...settings, ''].join('\n'));
    this.client = new Redis({
      host: '127.0.0.1',
      port,
      protocol: 2,
      disableClientInfo: true,
      enableReadyCheck: options.program !== 'redis-sentinel',
      retryStrategy: () => 30,
      maxRetriesPerRequest: 300,
      ...(options.tls === undefined ? {} : { tls: { ca: readFileSync(options.tls.ca), servername: 'localhost' } }),
    });
    this.client.on('error', () => {});
  }

  static async start(options: OwnRedisOptions = {}): Promise<OwnRedis> {
    const server = new OwnRedis(options.port ?? (await portForRedis()), options);
    await server.start();
    return server;
  }

  get #config(): string {
    return join(this.#folder, 'redis.conf');
  }

  /** Resolves once it answers and has its data. */
  async start(): Promise<void> {
    this.#process = spawn(await program(this.#options.program ?? 'redis-server'), [this.#config], { stdio: 'ignore', cwd: this.#folder });
    await this.client.ping();
  }

  /** SIGKILL; resolves once it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect();
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Servers that end together. */
export class Servers implements AsyncDisposable {
  readonly #all: OwnRedis[] = [];

  async start(options: OwnRedisOptions = {}): Promise<OwnRedis> {
    const server = await OwnRedis.start(options);
    this.#all.push(server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#all.reverse()) await server[Symbol.asyncDispose]();
  }
}

/** A master, a replica, and three sentinels that agree by two. */
export async function startSentinels(servers: Servers): Promise<{ master: OwnRedis; replica: OwnRedis; sentinels: string[] }> {
  // A replica need not wait for others that might come.
  const master = await servers.start({ settings: [...DURABLE, 'repl-diskless-sync-delay 0'] });
  const replica = await servers.start({ settings: [...DURABLE, `replicaof 127.0.0.1 ${master.port}`] });
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'));
  const watch = [
    `sentinel monitor shop 127.0.0.1 ${master.port} 2`,
    'sentinel down-after-milliseconds shop 500',
    'sentinel failover-timeout shop 5000',
  ];
  const sentinels = [];
  for (let i = 0; i < 3; i++) sentinels.push(await servers.start({ program: 'redis-sentinel', settings: watch }));
  const [first] = sentinels as [OwnRedis];
  // Each knows the replica and the others.
  await until(async () => {
    const [state] = (await first.client.call('SENTINEL', 'MASTERS')) as string[][];
    const field = (name: string): number => Number(state?.[(state?.indexOf(name) ?? -2) + 1]);
    return field('num-slaves') === 1 && field('num-other-sentinels') === 2;
  });
  return { master, replica, sentinels: sentinels.map((s) => `127.0.0.1:${s.port}`) };
}

/** Three masters that share the slots. */
export async function startCluster(servers: Servers): Promise<OwnRedis[]> {
  const nodes: OwnRedis[] = [];
  // Its bus listens on the port plus 10,000 unless told.
  for (let i = 0; i < 3; i++) {
    const bus = await portForRedis();
    nodes.push(
      await servers.start({ settings: ['appendonly no', 'cluster-enabled yes', `cluster-port ${bus}`, 'cluster-node-timeout 2000'] }),
    );
  }
  const [first] = nodes as [OwnRedis];
  for (const [i, node] of nodes.entries()) {
    const from = Math.ceil((i * 16_384) / 3),
      to = Math.ceil(((i + 1) * 16_384) / 3) - 1;
    await node.client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    await node.client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    if (node === first) continue;
    const bus = ((await node.client.config('GET', 'cluster-port')) as string[])[1] ?? '';
    await first.client.call('CLUSTER', 'MEET', '127.0.0.1', String(node.port), bus);
  }
  for (const { client } of nodes)
    await until(async () => /cluster_state:ok.*cluster_known_nodes:3/s.test(String(await client.call('CLUSTER', 'INFO'))));
  return nodes;
}

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const began = performance.now(); !(await isSo().catch(() => false)); await sleep(30))
    if (performance.now() - began > 30_000) throw new Error('it did not happen within 30 s');
}

/** A certificate authority and a certificate of it for `localhost` and 127.0.0.1, in files. */
export function makeCertificates(folder: string): { ca: string; cert: string; key: string } {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...ec, '-days', '30', '-subj', '/CN=test authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  openssl('req', ...ec, '-subj', '/CN=localhost', '-keyout', at('server.key'), '-out', at('server.csr'));
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost');
  const sign = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '30', '-extfile', at('names')];
  openssl('x509', '-req', '-in', at('server.csr'), ...sign, '-out', at('server.pem'));
  return { ca: at('ca.pem'), cert: at('server.pem'), key: at('server.key') };
}
