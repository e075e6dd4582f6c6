// Servers of RabbitMQ of the test's own, in temporary folders, that may be killed and come back. Started and ended by process ids: the
// node and Erlang's name server run in one process group of ours.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { reachableFolder } from '../../scripts/services/home.ts';
import { prepareRabbitmq, RABBITMQ_USER, rabbitmqEnvironment } from '../../scripts/services/rabbitmq.ts';
import { rabbitmqHandshake } from '../../scripts/services/rabbitmq-handshake.ts';
import { rabbitmqSystem } from '../../scripts/services/rabbitmq-install.ts';
import { ownPorts } from './own-ports.ts';

/** A quorum queue that is younger than this does not survive a SIGKILL: 3.10 writes down its name later than it confirms messages. */
export const QUEUE_IS_SAFE_MS = 3000;
/** Those of a node, and one behind them for TLS. */
const PORTS = 4;
const READY_MS = 120_000;

export class OwnRabbitmq implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #bin: string;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  private constructor(bin: string, port: number, folder: string) {
    this.#bin = bin;
    this.port = port;
    this.#folder = folder;
    this.url = `amqp://${RABBITMQ_USER}:secret@127.0.0.1:${port}`;
  }

  /** `settings`: in place of the listener, in the words of rabbitmq.conf; they name their own, `tlsPort` for one that encrypts. */
  static async start(settings?: (port: number, tlsPort: number) => readonly string[]): Promise<OwnRabbitmq> {
    const found = await rabbitmqSystem.find(reachableFolder(false), () => undefined);
    if (found === null) throw new Error('no programs of RabbitMQ');
    const port = await ownPorts(PORTS),
      folder = mkdtempSync(join(tmpdir(), 'cdc-rabbitmq-'));
    prepareRabbitmq({ bin: found.bin, folder, port, password: 'secret' }, settings?.(port, port + PORTS - 1));
    const server = new OwnRabbitmq(found.bin, port, folder);
    await server.start();
    return server;
  }

  get tlsPort(): number {
    return this.port + PORTS - 1;
  }

  async start(): Promise<void> {
    const child = spawn('/bin/sh', [join(this.#folder, 'start.sh')], { stdio: 'ignore', cwd: this.#folder, detached: true });
    this.#process = child;
    for (const began = performance.now(); ; await sleep(100)) {
      if (await rabbitmqHandshake(this.url).catch(() => null)) return;
      if (child.exitCode !== null || performance.now() - began > READY_MS) throw new Error('RabbitMQ does not answer');
    }
  }

  /** SIGKILL to the node and all that is of it; resolves once it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.pid === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid, 'SIGKILL');
    await gone;
    // The node's port is free once its own process is gone, too.
    while (await rabbitmqHandshake(this.url).catch(() => null)) await sleep(20);
  }

  /** Runs `rabbitmqctl`. */
  async control(...args: readonly string[]): Promise<string> {
    const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', ...rabbitmqEnvironment({ folder: this.#folder, port: this.port }) };
    return (await promisify(execFile)(join(this.#bin, 'rabbitmqctl'), [...args], { env, timeout: 60_000 })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
