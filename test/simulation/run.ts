// Runs schedules by hand.
//   npx tsx --conditions=source test/simulation/run.ts --schedules 10000 --seed 1          how far it is: on stderr; SIGTERM: says what it has shown
//   npx tsx --conditions=source test/simulation/run.ts --seed 17 --trace        one schedule, step by step
//   npx tsx --conditions=source test/simulation/run.ts --bugs                   plants each mistake, counts until it is found
// Many schedules run in pieces, each in a process of its own: a process that was killed within a schedule never lets go of what it holds.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BUGS, type BugName } from './bugs.ts';
import { report } from './report.ts';
import { reproduction, search } from './schedule.ts';

const PROGRESS_MS = 5000;
const PIECE = 2000;
const args = process.argv.slice(2);
const option = (name: string): string | undefined => {
  const i = args.lastIndexOf(`--${name}`);
  return i < 0 ? undefined : args[i + 1];
};
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const trace = args.includes('--trace');
const seed = Number(option('seed') ?? 1),
  count = Number(option('schedules') ?? (trace ? 1 : 10_000));
const planted = args.flatMap((a, i) => (args[i - 1] === '--bug' ? [a] : []));

async function findBugs(): Promise<void> {
  const firstSeeds = [1, 1_000_001, 2_000_001];
  for (const name of Object.keys(BUGS) as BugName[]) {
    const tries = [];
    for (const first of firstSeeds) tries.push(await search(first, count, { bugs: [name] }));
    const found = tries.find((t) => t !== null);
    say(
      `${name.padEnd(32)} ${tries
        .map((t) => t?.schedules ?? '—')
        .join(' / ')
        .padEnd(20)} ${found?.violation.split('\n')[0] ?? `not found in ${count}`}`,
    );
  }
}

/** What a piece says to the process that asked for it. */
type Message = { readonly done: number } | { readonly stats: readonly (readonly [string, number])[]; readonly violation: string | null };

interface Run {
  readonly stats: Map<string, number>;
  readonly signal: AbortSignal;
  readonly onDone: (done: number) => void;
}

/** Resolves with what was violated, and how to see it again. */
async function run(first: number, schedules: number, { stats, signal, onDone }: Run): Promise<string | null> {
  const found = await search(first, schedules, { bugs: planted, stats, onSchedule: onDone, signal, ...(trace ? { print: say } : {}) });
  return found === null ? null : `seed ${found.seed}: ${found.violation}\n  again: ${reproduction(found, planted)}`;
}

async function runApart(first: number, schedules: number, { stats, signal, onDone }: Run): Promise<string | null> {
  const child = fork(fileURLToPath(import.meta.url), [...args, '--piece', '--seed', `${first}`, '--schedules', `${schedules}`]);
  const stop = (): boolean => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  let violation: string | null = `schedules from seed ${first}: their process ended without a word`;
  child.on('message', (message: Message) => {
    if ('done' in message) onDone(message.done);
    else {
      for (const [name, n] of message.stats) stats.set(name, (stats.get(name) ?? 0) + n);
      violation = message.violation;
    }
  });
  await once(child, 'exit');
  signal.removeEventListener('abort', stop);
  return violation;
}

/** Not more often than people want to read it. */
function sometimes(tell: (done: number) => void): (done: number) => void {
  let toldMs = performance.now();
  return (done) => {
    if (performance.now() - toldMs < PROGRESS_MS) return;
    toldMs = performance.now();
    tell(done);
  };
}

async function keepInvariants(signal: AbortSignal): Promise<void> {
  const stats = new Map<string, number>(),
    began = performance.now();
  const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const progress = sometimes((done) => process.stderr.write(`${done} of ${count} schedules from seed ${seed}, ${seconds()}\n`));
  let done = 0;
  for (let before = 0; before < count && !signal.aborted; before += PIECE) {
    const onDone = (n: number): void => {
      done = before + n;
      if (!trace) progress(done);
    };
    const schedules = Math.min(PIECE, count - before),
      violation = await (count > PIECE ? runApart : run)(seed + before, schedules, { stats, signal, onDone });
    if (violation !== null) {
      say(violation);
      process.exitCode = 1;
      return;
    }
  }
  const what = signal.aborted
    ? `${done} of ${count} schedules from seed ${seed} before it was cut`
    : `${count} schedules from seed ${seed}`;
  say(`${what}: no violation, ${seconds()}\n${report(stats)}`);
}

async function runPiece(signal: AbortSignal): Promise<void> {
  const stats = new Map<string, number>(),
    tell = (message: Message): unknown => process.send?.(message);
  const violation = await run(seed, count, { stats, signal, onDone: sometimes((done) => tell({ done })) });
  tell({ stats: [...stats], violation });
}

const cut = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => cut.abort());
if (args.includes('--bugs')) await findBugs();
else if (args.includes('--piece')) {
  await runPiece(cut.signal);
  process.disconnect();
} else await keepInvariants(cut.signal);
