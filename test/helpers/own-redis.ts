// Servers of Redis of the test's own, in temporary folders, that may be killed: alone, as master and replica with sentinels, or as a
// cluster. Started and ended by their process ids.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { reachableFolder } from '../../scripts/services/home.ts';
import { redisSystem } from '../../scripts/services/redis-install.ts';
import { eventually } from './eventually.ts';
import { ownPorts } from './own-ports.ts';

async function program(name: 'redis-server' | 'redis-sentinel'): Promise<string> {
  const found = await redisSystem.find(reachableFolder(false), () => undefined);
  if (found === null) throw new Error('no programs of Redis');
  return join(found.bin, name);
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
    const server = new OwnRedis(options.port ?? (await ownPorts()), options);
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
  await eventually(async () => (await replica.client.info('replication')).includes('master_link_status:up'));
  const watch = [
    `sentinel monitor shop 127.0.0.1 ${master.port} 2`,
    'sentinel down-after-milliseconds shop 500',
    'sentinel failover-timeout shop 5000',
  ];
  const sentinels = [];
  for (let i = 0; i < 3; i++) sentinels.push(await servers.start({ program: 'redis-sentinel', settings: watch }));
  const [first] = sentinels as [OwnRedis];
  // Each knows the replica and the others.
  await eventually(async () => {
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
    const bus = await ownPorts();
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
    await eventually(async () => /cluster_state:ok.*cluster_known_nodes:3/s.test(String(await client.call('CLUSTER', 'INFO'))));
  return nodes;
}
