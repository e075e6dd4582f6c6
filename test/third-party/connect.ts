// A worker of Kafka Connect of the script's own, in a temporary folder, with one connector at first. Ended by its process id.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectInstallation } from '../../scripts/services/connect-install.ts';
import { freePort } from '../../scripts/services/ports.ts';
import { plainEnvironment } from '../../scripts/services/processes.ts';

export type Properties = Readonly<Record<string, string>>;

const START_MS = 120_000,
  END_MS = 15_000,
  LOOK_MS = 200;
/** Of its JVM. */
const SMALL: readonly string[] = ['-Xmx512m', '-XX:+UseSerialGC'];

type Connector = Properties & { readonly name: string };

export class ConnectWorker implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'cdc-connect-'));
  readonly #port: number;
  #process: ChildProcess | null = null;

  private constructor(port: number) {
    this.#port = port;
  }

  /** Resolves once the connector's task runs. */
  static async start(
    installed: ConnectInstallation,
    worker: Properties,
    connector: Connector,
    jvm: readonly string[] = SMALL,
  ): Promise<ConnectWorker> {
    const started = new ConnectWorker(await freePort(28_083));
    try {
      started.#run(installed, worker, connector, jvm);
      await started.#runs(connector.name);
      return started;
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#process?.pid as number;
  }

  /** One more connector. Resolves once its task runs. */
  async add({ name, ...config }: Connector): Promise<void> {
    const answer = await fetch(this.#url('/connectors'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, config }),
    });
    if (!answer.ok) throw new Error(`Kafka Connect refuses its connector: ${await answer.text()}`);
    await this.#runs(name);
  }

  async remove(name: string): Promise<void> {
    await fetch(this.#url(`/connectors/${name}`), { method: 'DELETE' });
  }

  #run({ libs, plugins }: ConnectInstallation, worker: Properties, connector: Connector, jvm: readonly string[]): void {
    const all = {
      listeners: this.#url(''),
      'plugin.path': plugins,
      'offset.storage.file.filename': join(this.#folder, 'offsets'),
      ...worker,
    };
    const files = [this.#write('worker.properties', all), this.#write('connector.properties', connector)];
    const log = openSync(this.#log, 'a'),
      java = [...jvm, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(libs, '*')];
    this.#process = spawn('java', [...java, 'org.apache.kafka.connect.cli.ConnectStandalone', ...files], {
      cwd: this.#folder,
      env: plainEnvironment(),
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  async #runs(connector: string): Promise<void> {
    for (const until = Date.now() + START_MS; Date.now() < until; await sleep(LOOK_MS)) {
      const code = this.#process?.exitCode ?? null;
      if (code !== null) throw new Error(`Kafka Connect ended with ${code}: ${this.said()}`);
      if ((await this.failure(connector)) === null) return;
    }
    throw new Error(`Kafka Connect does not run its connector: ${this.said()}`);
  }

  /** Why the connector does not run; `null`: it does. */
  async failure(connector: string): Promise<string | null> {
    try {
      const answer = await fetch(this.#url(`/connectors/${connector}/status`), { signal: AbortSignal.timeout(5000) });
      const { tasks = [] } = (await answer.json()) as { tasks?: readonly { readonly state: string; readonly trace?: string }[] };
      if (tasks.length > 0 && tasks.every((t) => t.state === 'RUNNING')) return null;
      return tasks.map((t) => t.trace ?? t.state).join('\n') || 'it has no task yet';
    } catch (error) {
      return String(error);
    }
  }

  /** The end of its log. */
  said(): string {
    return readFileSync(this.#log, 'utf8').split('\n').slice(-40).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await Promise.race([gone, sleep(END_MS, undefined, { ref: false })]);
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }

  get #log(): string {
    return join(this.#folder, 'log');
  }

  /** The connector's hold the password of a database. */
  #write(name: string, properties: Properties): string {
    const file = join(this.#folder, name);
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}`);
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    return file;
  }
}
