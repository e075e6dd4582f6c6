// Brokers of the test's own, in temporary folders, that may be killed and come back. Started and ended by process ids.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reachableFolder } from '../../scripts/services/home.ts';
import { MOSQUITTO_USER, prepareMosquitto } from '../../scripts/services/mosquitto.ts';
import { mosquittoHandshake } from '../../scripts/services/mosquitto-handshake.ts';
import { mosquittoSystem } from '../../scripts/services/mosquitto-install.ts';
import { ownPorts } from './own-ports.ts';

export class OwnMosquitto implements AsyncDisposable {
  readonly url: string;
  /** For a listener that encrypts, where the settings have one. */
  readonly tlsPort: number;
  readonly #bin: string;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  private constructor(bin: string, port: number, folder: string) {
    this.#bin = bin;
    this.#folder = folder;
    this.tlsPort = port + 1;
    this.url = `mqtt://${MOSQUITTO_USER}:secret@127.0.0.1:${port}`;
  }

  /** `settings`: beside the listener, in the words of mosquitto.conf. `acl`: the rights of the user. */
  static async start(
    settings: readonly string[] | ((tlsPort: number) => readonly string[]) = [],
    acl: readonly string[] = ['topic readwrite #'],
  ): Promise<OwnMosquitto> {
    const found = await mosquittoSystem.find(reachableFolder(false), () => undefined);
    if (found === null) throw new Error('no programs of Mosquitto');
    const port = await ownPorts(2),
      folder = mkdtempSync(join(tmpdir(), 'cdc-mosquitto-'));
    const rights = join(folder, 'acl');
    writeFileSync(rights, `${[`user ${MOSQUITTO_USER}`, ...acl].join('\n')}\n`, { mode: 0o600 });
    const own = typeof settings === 'function' ? settings(port + 1) : settings;
    await prepareMosquitto({ bin: found.bin, folder, port, password: 'secret' }, [`acl_file ${rights}`, ...own]);
    const broker = new OwnMosquitto(found.bin, port, folder);
    await broker.start();
    return broker;
  }

  async start(): Promise<void> {
    this.#process = spawn(join(this.#bin, 'mosquitto'), ['-c', join(this.#folder, 'mosquitto.conf')], { stdio: 'ignore' });
    for (const began = performance.now(); !(await mosquittoHandshake(this.url).catch(() => null)); await sleep(30))
      if (performance.now() - began > 20_000) throw new Error('Mosquitto does not answer');
  }

  /** It writes down what it has, now. */
  async save(): Promise<void> {
    const file = join(this.#folder, 'data', 'mosquitto.db'),
      inode = (): number | null => statSync(file, { throwIfNoEntry: false })?.ino ?? null,
      before = inode();
    this.#process?.kill('SIGUSR1');
    for (const began = performance.now(); inode() === before; await sleep(10))
      if (performance.now() - began > 20_000) throw new Error('Mosquitto writes nothing down');
  }

  /** SIGTERM: it writes down what it has. SIGKILL: what it had not written down is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
