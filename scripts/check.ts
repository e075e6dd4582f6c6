// Everything that must hold before a change lands, in one command: types, lint, format, dead code, generated files, build,
// and every test, with the services the tests need. The last line counts tests.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** A vitest project: its results are counted. */
  readonly project?: string;
  /** Takes the time that others leave. */
  readonly isPatient?: boolean;
}

const npm = (name: string, ...script: readonly string[]): Step => ({ name, command: ['npm', 'run', '--silent', ...script] });
const tests = (project: string): Step => ({ name: `test: ${project}`, command: ['npx', 'vitest', 'run', '--project', project], project });

/** Steps of a lane run one after the other. */
type Lane = readonly Step[];

/** Lanes of a stage run beside each other: they share no server, and what waits for servers leaves room for what computes. */
const STAGES: readonly (readonly Lane[])[] = [
  [
    [npm('lint', 'lint')],
    [npm('typecheck', 'typecheck'), npm('generated files', 'gen:check'), npm('build', 'build')],
    [npm('services', 'services', '--', 'up')],
  ],
  [[tests('unit')]],
  [[tests('int-databases')], [tests('int-brokers')], [{ ...tests('simulation'), isPatient: true }]],
  [[tests('e2e')]],
  [[tests('chaos')]],
];

/** What is read of vitest's JSON report, which has Jest's shape. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    /** Why the file itself failed: an import, a hook. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

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
const failedTests: string[] = [];
/** Where the build is a step, the command line is tested as built. */
const environment = only.length === 0 ? { ...process.env, CDC_TEST_BUILT: '1' } : process.env;
try {
  for (const stage of STAGES) await runStage(stage.map((lane) => lane.filter(isAsked)).filter((lane) => lane.length > 0));
} finally {
  if (only.length === 0) spawnSync('npm', ['run', '--silent', 'services', '--', 'down'], { stdio: 'inherit' });
  rmSync(folder, { recursive: true, force: true });
}
console.log(`\n${times.join('\n')}`);
if (failures.length > 0) console.log(`\nfailed: ${[failures.join(', '), ...failedTests].join('\n  ')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** `int` asks for int-databases and int-brokers. */
function isAsked({ name, project = name }: Step): boolean {
  return only.length === 0 || only.some((asked) => project === asked || project.startsWith(`${asked}-`));
}

async function runStage(lanes: readonly Lane[]): Promise<void> {
  const isAlone = lanes.length < 2;
  await Promise.all(
    lanes.map(async (lane) => {
      for (const step of lane) await runStep(step, isAlone);
    }),
  );
}

async function runStep({ name, command, project, isPatient = false }: Step, isAlone: boolean): Promise<void> {
  const report = join(folder, `${name.replaceAll(/\W/g, '-')}.json`);
  const [program = '', ...args] =
    project === undefined ? command : [...command, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  console.log(`\n── ${name}`);
  const started = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', isAlone ? 'inherit' : 'pipe', isAlone ? 'inherit' : 'pipe'], env: environment });
  if (isPatient && child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  const status = await ended(child, project ?? name);
  times.push(`${status === 0 ? 'ok    ' : 'FAILED'} ${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${name}`);
  if (status !== 0) failures.push(name);
  if (project !== undefined) count(report);
}

/** What is said beside others has its origin before each line. */
function ended(child: ChildProcess, origin: string): Promise<number | null> {
  for (const input of [child.stdout, child.stderr])
    if (input !== null) createInterface({ input }).on('line', (line) => console.log(`${origin} | ${line}`));
  return new Promise((resolve) => {
    child.on('error', () => resolve(null)).on('close', resolve);
  });
}

function count(report: string): void {
  let result: Report;
  try {
    result = JSON.parse(readFileSync(report, 'utf8')) as Report;
  } catch {
    total.failed++; // the runner died before it wrote its report
    return;
  }
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests;
  total.skipped += result.numPendingTests + result.numTodoTests;
  for (const file of result.testResults) {
    const where = relative(process.cwd(), file.name);
    const failed = file.assertionResults.filter((test) => test.status === 'failed');
    for (const test of failed) failedTests.push(`${where}: ${test.fullName}\n    ${shortly(test.failureMessages.join('\n'))}`);
    if (file.status === 'failed' && failed.length === 0) failedTests.push(`${where}\n    ${shortly(file.message)}`);
  }
}

/** The head of a failure; the whole of it stands above, where the test ran. */
function shortly(message: string): string {
  return message.split('\n').slice(0, 12).join('\n    ');
}
