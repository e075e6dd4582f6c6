// Everything that must hold before a change lands, in one command: types, lint, format, dead code, generated files, build,
// and every test, with the services the tests need. The last line counts tests.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** A vitest project: its results are counted. */
  readonly project?: string;
}

const tests = (project: string): Step => ({ name: `test: ${project}`, command: ['npx', 'vitest', 'run', '--project', project], project });

const STEPS: readonly Step[] = [
  { name: 'typecheck', command: ['npm', 'run', '--silent', 'typecheck'] },
  { name: 'lint', command: ['npm', 'run', '--silent', 'lint'] },
  { name: 'generated files', command: ['npm', 'run', '--silent', 'gen:check'] },
  { name: 'build', command: ['npm', 'run', '--silent', 'build'] },
  { name: 'services', command: ['npm', 'run', '--silent', 'services', '--', 'up'] },
  tests('unit'),
  tests('simulation'),
  tests('int'),
  tests('e2e'),
  tests('chaos'),
];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const folder = mkdtempSync(join(tmpdir(), 'cdc-run-check-'));
const only = process.argv.slice(2);
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const times: string[] = [];
try {
  for (const step of STEPS) if (only.length === 0 || only.includes(step.project ?? step.name)) runStep(step);
} finally {
  if (only.length === 0) spawnSync('npm', ['run', '--silent', 'services', '--', 'down'], { stdio: 'inherit' });
  rmSync(folder, { recursive: true, force: true });
}
console.log(`\n${times.join('\n')}`);
if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = failures.length > 0 ? 1 : 0;

function runStep({ name, command, project }: Step): void {
  const report = join(folder, `${name.replaceAll(/\W/g, '-')}.json`);
  const args = project === undefined ? command : [...command, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  console.log(`\n── ${name}`);
  const started = performance.now();
  const { status } = spawnSync(args[0] as string, args.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
  times.push(`${status === 0 ? 'ok    ' : 'FAILED'} ${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${name}`);
  if (status !== 0) failures.push(name);
  if (project !== undefined) count(report);
}

function count(report: string): void {
  let result: { numPassedTests: number; numFailedTests: number; numPendingTests: number; numTodoTests: number };
  try {
    result = JSON.parse(readFileSync(report, 'utf8')) as typeof result;
  } catch {
    total.failed++; // the runner died before it wrote its report
    return;
  }
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests;
  total.skipped += result.numPendingTests + result.numTodoTests;
}
