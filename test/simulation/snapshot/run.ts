// Runs schedules of the snapshot engine by hand.
//   npx tsx --conditions=source test/simulation/snapshot/run.ts --schedules 100000 --seed 1
//   npx tsx --conditions=source test/simulation/snapshot/run.ts --seed 17 --trace       one schedule, step by step
//   npx tsx --conditions=source test/simulation/snapshot/run.ts --bugs                  plants each mistake, counts until it is found

import { BUGS, type Bug, type BugName } from './bugs.ts';
import { type Counts, runSchedule, type Violation } from './schedule.ts';

const args = process.argv.slice(2);
const option = (name: string): string | undefined => {
  const i = args.indexOf(`--${name}`);
  return i < 0 ? undefined : args[i + 1];
};
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const seed = Number(option('seed') ?? 1),
  isTraced = args.includes('--trace'),
  schedules = Number(option('schedules') ?? (isTraced ? 1 : 100_000)),
  bug = (option('bug') ?? null) as Bug;

function search(planted: Bug, counts: Counts): { tried: number; found: Violation | null } {
  for (let n = 0; n < schedules; n++) {
    const found = runSchedule(seed + n, { bug: planted, counts, ...(isTraced ? { say } : {}) });
    if (found !== null) return { tried: n + 1, found };
  }
  return { tried: schedules, found: null };
}

if (args.includes('--bugs')) {
  for (const name of Object.keys(BUGS) as BugName[]) {
    const { tried, found } = search(name, {});
    say(
      `${name.padEnd(26)} ${(found === null ? '—' : String(tried)).padEnd(8)} ${found?.problem.split('\n')[0]?.slice(0, 90) ?? 'not found'}`,
    );
    if (found === null) process.exitCode = 1;
  }
} else {
  const began = performance.now(),
    counts: Counts = {},
    { tried, found } = search(bug, counts);
  if (found === null) {
    say(
      `${tried} schedules from seed ${seed}: no violation, ${((performance.now() - began) / 1000).toFixed(1)} s\n${JSON.stringify(counts)}`,
    );
  } else {
    say(`seed ${found.seed}: ${found.problem}`);
    process.exitCode = 1;
  }
}
