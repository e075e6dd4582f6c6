// Two brokers of Kafka of the test's own, in temporary folders: the first has the controller and stays, the second may be killed.
// Started and ended by their process ids. https://kafka.apache.org/documentation/#kraft

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { reachableFolder } from '../../scripts/services/home.ts';
import { kafkaHandshake } from '../../scripts/services/kafka-handshake.ts';
import { kafkaInstall } from '../../scripts/services/kafka-install.ts';
import { plainEnvironment, run } from '../../scripts/services/processes.ts';
import { ownPorts } from './own-ports.ts';

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg';
/** Of the controller, and of the two brokers. */
const PORTS = 3;
const READY_MS = 60_000;
/** A broker that is silent for this long leads no partition any more. 9 s as Kafka has it. */
const SESSION_MS = 2_000;

/** The jars of Kafka; `null` where there are none, with the reason printed once. Where `CI` is set that is an error. */
export async function findKafka(): Promise<string | null> {
  const found = await kafkaInstall('3.9.1')
    .find(reachableFolder(false), () => undefined)
    .catch(() => null);
  if (found !== null) return found.bin;
  const reason = 'no programs of Kafka to start brokers with that may be killed';
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return null;
}

const java = (bin: string): string[] => [
  '-Xms64m',
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-cp',
  join(bin, '*'),
];

/** Topics have a copy on each, and go on with one. Few internal partitions, and no wait for more members of a new group. */
function settings(id: 1 | 2, port: number, folder: string): string {
  const controller = `127.0.0.1:${port}`,
    own = `PLAINTEXT://127.0.0.1:${port + id}`;
  return [
    `process.roles=${id === 1 ? 'broker,controller' : 'broker'}`,
    `node.id=${id}`,
    `controller.quorum.voters=1@${controller}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name=PLAINTEXT',
    `listeners=${own}${id === 1 ? `,CONTROLLER://${controller}` : ''}`,
    `advertised.listeners=${own}`,
    `log.dirs=${join(folder, 'data')}`,
    `broker.session.timeout.ms=${SESSION_MS}`,
    'broker.heartbeat.interval.ms=300',
    'auto.create.topics.enable=false',
    'default.replication.factor=2',
    'min.insync.replicas=1',
    ...['offsets.topic', 'transaction.state.log'].flatMap((name) => [`${name}.replication.factor=2`, `${name}.num.partitions=2`]),
    'transaction.state.log.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    'group.min.session.timeout.ms=1000',
    'num.network.threads=2',
    'num.io.threads=2',
    'log.cleaner.dedupe.buffer.size=16777216',
    '',
  ].join('\n');
}

class Broker {
  readonly #bin: string;
  readonly #folder: string;
  readonly #url: string;
  #process: ChildProcess | null = null;

  constructor(bin: string, id: 1 | 2, port: number, folder: string) {
    this.#bin = bin;
    this.#folder = folder;
    this.#url = `kafka://127.0.0.1:${port + id}`;
    mkdirSync(join(folder, 'data'), { recursive: true });
    writeFileSync(this.#settings, settings(id, port, folder));
  }

  get #settings(): string {
    return join(this.#folder, 'server.properties');
  }

  async format(): Promise<void> {
    await run('java', [...java(this.#bin), 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', this.#settings]);
  }

  /** Resolves once it answers. */
  async start(): Promise<void> {
    const args = [...java(this.#bin), 'kafka.Kafka', this.#settings],
      child = spawn('java', args, { stdio: 'ignore', cwd: this.#folder, env: plainEnvironment() });
    this.#process = child;
    for (const began = performance.now(); ; await sleep(100)) {
      if (await kafkaHandshake(this.#url).catch(() => null)) return;
      if (child.exitCode !== null || performance.now() - began > READY_MS) throw new Error('a broker does not answer');
    }
  }

  /** SIGKILL; resolves once it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

export class OwnKafka implements AsyncDisposable {
  /** The broker that stays. */
  readonly url: string;
  /** The one that may be killed comes first: who asks it learns that it is gone. */
  readonly brokers: string;
  readonly #folder: string;
  readonly #first: Broker;
  readonly #second: Broker;

  private constructor(bin: string, port: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'cdc-kafka-'));
    this.#first = new Broker(bin, 1, port, join(this.#folder, '1'));
    this.#second = new Broker(bin, 2, port, join(this.#folder, '2'));
    this.url = `kafka://127.0.0.1:${port + 1}`;
    this.brokers = `127.0.0.1:${port + 2},127.0.0.1:${port + 1}`;
  }

  static async start(bin: string): Promise<OwnKafka> {
    const cluster = new OwnKafka(bin, await ownPorts(PORTS)),
      both = [cluster.#first, cluster.#second];
    try {
      await Promise.all(both.map((broker) => broker.format()));
      // One waits for the other's controller.
      await Promise.all(both.map((broker) => broker.start()));
      await cluster.#complete();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A broker answers before the controller lets it lead. */
  async #complete(): Promise<void> {
    const admin = new kafkajs.Kafka({ brokers: [new URL(this.url).host], logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      for (const began = performance.now(); (await admin.describeCluster()).brokers.length < 2; await sleep(100))
        if (performance.now() - began > READY_MS) throw new Error('the brokers do not find each other');
    } finally {
      await admin.disconnect();
    }
  }

  /** SIGKILL of broker 2. */
  kill(): Promise<void> {
    return this.#second.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#second.kill(), this.#first.kill()]);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
