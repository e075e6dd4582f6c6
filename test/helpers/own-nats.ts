// A server of NATS of the test's own, in a temporary folder, that may be killed. Started and ended by its process id.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reachableFolder } from '../../scripts/services/home.ts';
import { natsHandshake } from '../../scripts/services/nats-handshake.ts';
import { natsByGo } from '../../scripts/services/nats-install.ts';
import { ownPorts } from './own-ports.ts';

export interface OwnNatsOptions {
  /** Lines of its configuration. */
  readonly settings?: readonly string[];
  /** A user that may do all; without any nobody needs to log in. */
  readonly user?: { readonly name: string; readonly password: string };
  /** `name:password` of a user in `settings`, for the handshake. */
  readonly login?: string;
  /** Nobody says hello at its start: that would need what the test is about. */
  readonly isSilent?: boolean;
  /** More within `jetstream`. */
  readonly jetStream?: string;
  /** Without JetStream. */
  readonly isCore?: boolean;
}

export class OwnNats implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  readonly #options: OwnNatsOptions;
  #process: ChildProcess | null = null;

  private constructor(port: number, options: OwnNatsOptions) {
    const { user, login = user === undefined ? '' : `${user.name}:${user.password}` } = options;
    this.port = port;
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'cdc-nats-'));
    this.url = `nats://${login === '' ? '' : `${login}@`}127.0.0.1:${port}`;
    this.configure(options.settings ?? []);
  }

  static async start(options: OwnNatsOptions = {}): Promise<OwnNats> {
    const server = new OwnNats(await ownPorts(), options);
    await server.start();
    return server;
  }

  /** Its settings from the next start on. */
  configure(settings: readonly string[]): void {
    const { user, isCore = false, jetStream = '' } = this.#options,
      data = join(this.folder, 'data');
    mkdirSync(data, { recursive: true });
    const own = [
      `listen: "127.0.0.1:${this.port}"`,
      ...(isCore ? [] : [`jetstream: {store_dir: "${data}"${jetStream === '' ? '' : `, ${jetStream}`}}`]),
      ...(user === undefined ? [] : [`authorization: {users: [{user: "${user.name}", password: "${user.password}"}]}`]),
    ];
    writeFileSync(this.#config, [...own, ...settings, ''].join('\n'));
  }

  get #config(): string {
    return join(this.folder, 'nats.conf');
  }

  /** Resolves once it answers. */
  async start(): Promise<void> {
    const installed = await natsByGo.find(reachableFolder(false), () => undefined);
    if (installed === null) throw new Error('no programs of NATS');
    const child = spawn(join(installed.bin, 'nats-server'), ['-c', this.#config], { stdio: 'ignore', cwd: this.folder });
    this.#process = child;
    for (const began = performance.now(); ; await sleep(30)) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      try {
        if (this.#options.isSilent) await listening(this.port);
        else await natsHandshake(this.url);
        return;
      } catch (error) {
        if (performance.now() - began > 15_000) throw error;
      }
    }
  }

  /** Reads its configuration again. */
  reload(settings: readonly string[]): void {
    this.configure(settings);
    this.#process?.kill('SIGHUP');
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
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function listening(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}
