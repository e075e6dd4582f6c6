// bin/cdc-run.js in a package of its own, with a build that is only a stand-in.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Workspace } from './process.ts';

const BUILD = `
const { mkdirSync, writeFileSync, appendFileSync } = require('node:fs');
appendFileSync('builds', 'x');
console.log('noise of the build');
mkdirSync('dist/src/cli', { recursive: true });
writeFileSync('dist/src/cli/main.js', 'process.stdout.write(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;');
`;

function checkout(work: Workspace, build: string): void {
  mkdirSync(work.path('bin'));
  copyFileSync(resolve('bin/cdc-run.js'), work.path('bin/cdc-run.js'));
  chmodSync(work.path('bin/cdc-run.js'), 0o755);
  work.write('package.json', JSON.stringify({ type: 'module', scripts: { build: 'node build.cjs' } }));
  work.write('tsconfig.build.json', '{}');
  work.write('build.cjs', build);
}

function launch(work: Workspace, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [work.path('bin/cdc-run.js'), ...args], { encoding: 'utf8', cwd: '/' });
}

describe('the launcher', () => {
  it('is executable', () => {
    expect(statSync('bin/cdc-run.js').mode & 0o111).toBe(0o111);
  });

  it('builds a fresh checkout once, says so on stderr, and hands over arguments and exit code', () => {
    using work = new Workspace();
    checkout(work, BUILD);
    const first = launch(work, 'plan', 'a b.yaml');
    expect(first).toMatchObject({
      status: 7,
      stdout: '["plan","a b.yaml"]',
      stderr: expect.stringMatching(/^cdc-run: building once, .*\n.*noise of the build/s),
    });
    expect(launch(work)).toMatchObject({ status: 7, stdout: '[]', stderr: '' });
    expect(work.read('builds')).toBe('x');
  });

  it('says what to do when the build fails', () => {
    using work = new Workspace();
    checkout(work, 'process.exit(1)');
    expect(launch(work)).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('npm run build') });
  });

  it('says what to do when a build was cut off', () => {
    using work = new Workspace();
    checkout(work, BUILD);
    mkdirSync(work.path('dist/src/cli'), { recursive: true });
    work.write('dist/src/cli/main.js', "import './missing.js';");
    expect(launch(work)).toMatchObject({ status: 1, stderr: expect.stringContaining('The build is not complete') });
  });

  it('does not try to build a published package', () => {
    using work = new Workspace();
    checkout(work, BUILD);
    rmSync(work.path('tsconfig.build.json'));
    expect(launch(work)).toMatchObject({ status: 1, stderr: expect.stringContaining('published without its build') });
  });
});
