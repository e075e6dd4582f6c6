// Runs the scenarios of bench/, all or the named ones, one after another, and keeps what they print in
// bench/<name>/results/<date>.json. See README.md for the method.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const SCENARIOS = [
  'engine',
  'sqlite',
  'idle',
  'start',
  'envelope',
  'formats',
  'disk-log',
  'workers',
  'replay',
  'fan-out',
  'stalled',
  'postgres',
  'postgres/decode',
  'mysql',
  'mysql/decode',
  'brokers/redis',
  'brokers/kafka',
  'path',
];

const asked = process.argv.slice(2);
let failed = false;
for (const name of asked.length > 0 ? asked : SCENARIOS) {
  const script = scriptOf(name);
  process.stderr.write(`── ${name}\n`);
  const { stdout, status } = spawnSync(process.execPath, ['--import', 'tsx', '--conditions=source', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  process.stdout.write(stdout);
  failed ||= status !== 0;
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (status === 0 && last.startsWith('{')) keep(name, JSON.parse(last) as object);
}
process.exitCode = failed ? 1 : 0;

/** A folder, or one script of it. */
function scriptOf(name: string): string {
  const [folder = '', script = 'run'] = name.split('/');
  return join(import.meta.dirname, folder, `${script}.ts`);
}

function keep(name: string, result: object): void {
  const [scenario = '', script] = name.split('/');
  const folder = join(import.meta.dirname, scenario, 'results');
  mkdirSync(folder, { recursive: true });
  const about = { date: new Date().toISOString().slice(0, 10), node: process.version, cores: availableParallelism() };
  const text = JSON.stringify({ ...about, ...result }, null, 2);
  // Lists of numbers on one line, as the formatter wants them.
  const tidy = text.replace(/\[[\d\s.,-]+\]/g, (list) => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']'));
  writeFileSync(join(folder, `${script === undefined ? '' : `${script}-`}${about.date}.json`), `${tidy}\n`);
}
