// `npm run test:postgres [versions] [-- arguments of vitest]`: every integration and contract test that has PostgreSQL in its
// path, against each version in turn, with a server of that version of its own. The last lines say what each printed.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAJORS } from './services/postgres-install.ts';

const DEFAULT_FILES = ['test/integration/postgresql', 'test/contract/postgresql'];

const args = process.argv.slice(2),
  asked = args.filter((a) => MAJORS.includes(a)),
  rest = args.filter((a) => !MAJORS.includes(a)),
  folder = mkdtempSync(join(tmpdir(), 'cdc-run-versions-')),
  lines: string[] = [];
try {
  for (const major of asked.length > 0 ? asked : MAJORS) lines.push(`PostgreSQL ${major}: ${runOn(major)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`\n${lines.join('\n')}`);

function runOn(major: string): string {
  // A version must not be taken for the server that the environment names for the others.
  const env = { ...process.env, CDC_TEST_POSTGRES_URL: '', CDC_TEST_POSTGRES_VERSION: major };
  const npm = (...more: string[]): string | null => {
    const { status, stdout } = spawnSync('npm', ['run', '--silent', 'services', '--', ...more], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    return status === 0 ? stdout.trim() : null;
  };
  const server = npm('up', 'postgres', '--json');
  if (server === null) {
    process.exitCode = 3;
    return 'cannot be had';
  }
  const [{ version, mode }] = JSON.parse(server) as [{ version: string; mode: string }];
  const report = join(folder, `${major}.json`),
    reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const files = rest.length > 0 ? rest : DEFAULT_FILES;
  const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'int-databases', ...reporters, ...files], { env, stdio: 'inherit' });
  npm('down', 'postgres', '--purge');
  if (status !== 0) process.exitCode = 1;
  const counts = JSON.parse(readFileSync(report, 'utf8')) as Record<'numPassedTests' | 'numFailedTests' | 'numPendingTests', number>;
  return `${version} (${mode}): ${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${counts.numPendingTests} skipped`;
}
