// A pipeline that is run as a process and killed at random moments, in a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Ended, type Started, Workspace } from '../e2e/process.ts';
import { type Dice, diceOf } from '../simulation/random.ts';

/** `CDC_CHAOS_SEED=… npm run test:chaos` repeats the moments, as far as the machine does. */
export const SEED = Number(process.env['CDC_CHAOS_SEED'] ?? Math.floor(Math.random() * 1e9));
const READY_TIMEOUT_MS = 60_000;
const LOOK_MS = 2;

/** Of the largest test, where nothing else is asked for. */
const KILLS = 12;

/** How many kills: `normally`, or in proportion where `CDC_CHAOS_KILLS` asks for more than the 12 of the largest test. */
export function killsOf(normally: number): number {
  return Math.max(1, Math.round((normally * Number(process.env['CDC_CHAOS_KILLS'] ?? KILLS)) / KILLS));
}

/** Each kill may take this long on a busy machine. */
export const TIMEOUT_MS = 60_000 + 20_000 * killsOf(KILLS);

/** Before the first write of a run, or after it. */
export type Phase = 'start' | 'flow';

export class Victim {
  readonly work: Workspace;
  readonly dice: Dice;
  readonly #args: readonly string[];
  readonly #output: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #kills: { [P in Phase]: number } = { start: 0, flow: 0 };
  /** From the start to the first write, as last seen. */
  #readyMs = 500;
  /** Codes of warnings and errors in the logs of all runs. */
  readonly #codes = new Map<string, number>();

  /** `output`: the file whose growth tells that a run delivers. */
  constructor(work: Workspace, args: readonly string[], output: string, salt: number, env: Readonly<Record<string, string>> = {}) {
    this.work = work;
    this.#args = args;
    this.#output = output;
    this.#env = env;
    this.dice = diceOf(SEED + salt);
  }

  start(...more: readonly string[]): Started {
    return this.work.start([...this.#args, ...more, '--log-format', 'json'], this.#env);
  }

  /** A run to its own end, which must be a good one. */
  async finish(...more: readonly string[]): Promise<Ended> {
    const ended = await this.start(...more).ended;
    this.#note(ended);
    if (ended.code !== 0) throw new Error(`ended with ${ended.code ?? ended.signal}: ${ended.out}${ended.err}`);
    return ended;
  }

  /** Another command on the same pipeline, which must end well. */
  async command(...args: readonly string[]): Promise<Ended> {
    const ended = await this.work.run(args, this.#env);
    if (ended.code !== 0) throw new Error(`${args[0]} ended with ${ended.code ?? ended.signal}: ${ended.err}`);
    return ended;
  }

  /** One run, killed after at most `withinMs` of flow; one in three before it flows. */
  async killOnce(withinMs: number, always?: Phase): Promise<void> {
    const during = always ?? (this.dice.chance(1 / 3) ? 'start' : 'flow');
    const run = this.start();
    await this.moment(run, during, withinMs);
    run.child.kill('SIGKILL');
    const ended = await run.ended;
    this.#note(ended);
    if (ended.signal !== 'SIGKILL')
      throw new Error(`seed ${SEED}: ended with ${ended.code} before it was killed: ${ended.out}${ended.err}`);
    this.#kills[during]++;
  }

  /** Waits for a random moment of a run that has just been started. */
  async moment(run: Started, during: Phase, withinMs: number): Promise<void> {
    if (during === 'flow') await this.#delivering(run);
    await sleep(this.dice.next() * (during === 'start' ? this.#readyMs : withinMs));
  }

  /** Resolves at the first write of this run, or at its end. */
  async #delivering(run: Started): Promise<void> {
    let isOver = false;
    void run.ended.then(() => {
      isOver = true;
    });
    const startedMs = performance.now();
    // A start may cut bytes off first: only growth is a delivery.
    for (let last = this.#outputSize(), now = last; now <= last && !isOver; now = this.#outputSize()) {
      last = Math.min(last, now);
      await sleep(LOOK_MS);
      if (performance.now() - startedMs > READY_TIMEOUT_MS) {
        run.child.kill('SIGKILL');
        const { out, err } = await run.ended;
        throw new Error(`seed ${SEED}: nothing was delivered within ${READY_TIMEOUT_MS} ms: ${out}${err}`);
      }
    }
    this.#readyMs = performance.now() - startedMs;
  }

  #outputSize(): number {
    return statSync(this.work.path(this.#output), { throwIfNoEntry: false })?.size ?? 0;
  }

  #note({ err }: Ended): void {
    for (const line of err.split('\n')) {
      const found = /"level":"(?:warn|error)".*?"code":"([A-Z_]+)"/.exec(line)?.[1];
      if (found !== undefined) this.#codes.set(found, (this.#codes.get(found) ?? 0) + 1);
    }
  }

  describe(): string {
    const codes = [...this.#codes].map(([code, n]) => `${code} ×${n}`).join(', ');
    return `seed ${SEED}: ${this.#kills.start} kills while starting, ${this.#kills.flow} while delivering${codes === '' ? '' : `; logged: ${codes}`}`;
  }
}

/** The program that writes meanwhile: see writer.ts, appender.ts, …-trade.ts. A process of its own, so that its waits do not choose our moments. */
export class Writer implements Disposable {
  readonly #child: ChildProcess;
  #said = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString();
    });
  }

  /** Resolves once it writes. Ends with this process at the latest, since its stdin ends then. */
  static async start(program: 'writer' | 'appender' | 'postgres-trade' | 'mysql-trade', place: string): Promise<Writer> {
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const child = spawn(process.execPath, ['--import', loader, resolve(`test/chaos/${program}.ts`), place, String(SEED)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const writer = new Writer(child);
    await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    return writer;
  }

  /** From now on without pauses to speak of. */
  hurry(): void {
    this.#child.stdin?.write('hurry\n');
  }

  /** Returns how much it has written. */
  async stop(): Promise<string> {
    const closed = once(this.#child, 'close');
    this.#child.stdin?.end();
    const [code] = await closed;
    if (code !== 0) throw new Error(`the writer ended with ${code}`);
    return this.#said.trim().split('\n').at(-1) ?? '';
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

/** A folder that is kept, with its path printed, when the test fails. */
export function chaosFolder(): Workspace {
  const work = new Workspace();
  onTestFinished(({ task }) => {
    if (task.result?.state === 'fail') console.error(`seed ${SEED}: what was left is in ${work.folder}`);
    else work[Symbol.dispose]();
  });
  return work;
}

/** The lines of a rotated file, oldest first. */
export function rotatedLines(work: Workspace, folder = 'out', name = 'changes'): string[] {
  if (!existsSync(work.path(folder))) return [];
  const rotated = readdirSync(work.path(folder))
    .map((file) => new RegExp(`^${name}\\.(\\d+)\\.ndjson$`).exec(file)?.[1])
    .filter((n) => n !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
    .map((n) => `${folder}/${name}.${n}.ndjson`);
  const present = `${folder}/${name}.ndjson`;
  return [...rotated, ...(existsSync(work.path(present)) ? [present] : [])].flatMap((file) => work.lines(file));
}
