// The command line as a child process. Each test has a working directory of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * From the sources, whatever the build holds. `CDC_TEST_BUILT=1`, as where all is checked: what was just built, as users have it, which
 * starts in a third of the time.
 */
const PROGRAM =
  process.env['CDC_TEST_BUILT'] === '1'
    ? [resolve('bin/cdc-run.js')]
    : ['--conditions=source', '--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href, resolve('src/cli/main.ts')];

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with the match once stdout or stderr hold one; throws when the process ends before. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
}

/** A folder for one test, removed at its end. */
export class Workspace implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'cdc-e2e-'));
  readonly #started: ChildProcess[] = [];

  path(name: string): string {
    return join(this.folder, name);
  }
  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return name;
  }
  makeFolder(name: string): void {
    mkdirSync(this.path(name), { recursive: true });
  }
  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }
  /** The lines of a file, without the empty one at its end. */
  lines(name: string): string[] {
    return this.read(name)
      .split('\n')
      .filter((line) => line !== '');
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}, stdout: 'pipe' | 'ignore' = 'pipe'): Started {
    const child = spawn(process.execPath, [...PROGRAM, ...args], {
      cwd: this.folder,
      env: { ...process.env, NO_COLOR: '1', LOG_LEVEL: 'info', ...env },
      stdio: ['ignore', stdout, 'pipe'],
    });
    this.#started.push(child);
    let out = '';
    let err = '';
    const listeners = new Set<() => void>();
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
      for (const look of listeners) look();
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      err += chunk;
      for (const look of listeners) look();
    });
    const ended = new Promise<Ended>((done) => {
      child.on('close', (code, signal) => {
        done({ code, signal, out, err });
      });
    });
    return {
      child,
      ended,
      until: (pattern) =>
        new Promise((found, fail) => {
          const look = (): void => {
            const match = pattern.exec(out) ?? pattern.exec(err);
            if (match === null) return;
            listeners.delete(look);
            found(match);
          };
          listeners.add(look);
          look();
          void ended.then(({ code }) => {
            fail(new Error(`ended with ${code} before ${pattern}: ${out}${err}`));
          });
        }),
    };
  }

  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
    return this.start(args, env).ended;
  }

  [Symbol.dispose](): void {
    for (const child of this.#started) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
