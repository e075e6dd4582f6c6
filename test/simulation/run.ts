// Runs schedules by hand.
//   npx tsx --conditions=source test/simulation/run.ts --schedules 10000 --seed 1          how far it is: on stderr; SIGTERM: says what it has shown
//   npx tsx --conditions=source test/simulation/run.ts --seed 17 --trace        one schedule, step by step
//   npx tsx --conditions=source test/simulation/run.ts --bugs                   plants each mistake, counts until it is found

import { BUGS, type BugName } from './bugs.ts';
import { report } from './report.ts';
import { reproduction, search } from './schedule.ts';

const PROGRESS_MS = 5000;
const args = process.argv.slice(2);
const option = (name: string): string | undefined => {
  const i = args.indexOf(`--${name}`);
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

async function keepInvariants(): Promise<void> {
  const stats = new Map<string, number>(),
    began = performance.now();
  let done = 0,
    saidMs = began;
  const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const onSchedule = (n: number): void => {
    done = n;
    if (trace || performance.now() - saidMs < PROGRESS_MS) return;
    saidMs = performance.now();
    process.stderr.write(`${done} of ${count} schedules from seed ${seed}, ${seconds()}\n`);
  };
  const cut = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => cut.abort());
  const found = await search(seed, count, { bugs: planted, stats, onSchedule, signal: cut.signal, ...(trace ? { print: say } : {}) });
  if (found !== null) {
    say(`seed ${found.seed}: ${found.violation}\n  again: ${reproduction(found, planted)}`);
    process.exitCode = 1;
    return;
  }
  const what = cut.signal.aborted
    ? `${done} of ${count} schedules from seed ${seed} before it was cut`
    : `${count} schedules from seed ${seed}`;
  say(`${what}: no violation, ${seconds()}\n${report(stats)}`);
}

if (args.includes('--bugs')) await findBugs();
else await keepInvariants();
