// A reader, and a publisher, that are not ours: NATS' own Go client, built once from test/fixtures/nats.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { reachableFolder } from '../../scripts/services/home.ts';

export interface GoMessage {
  readonly subject: string;
  readonly id: string;
  readonly key: string;
  readonly data: string;
}

/** The program; `null` where there is no Go: the reason is printed, and where `CI` is set it is an error. */
export function goProgram(name: 'reader' | 'publisher'): string | null {
  const folder = join(reachableFolder(false), `nats-${name}`),
    program = join(folder, name);
  if (existsSync(program)) return program;
  const go = ['/usr/local/go/bin/go', '/usr/bin/go'].find((path) => existsSync(path));
  if (go === undefined) {
    const reason = `no Go to build a ${name} with NATS' own client`;
    if (process.env['CI']) throw new Error(reason);
    console.warn(`SKIPPED: ${reason}`);
    return null;
  }
  mkdirSync(folder, { recursive: true });
  cpSync(`test/fixtures/nats/${name}`, folder, { recursive: true });
  const env = { ...process.env, GOFLAGS: '-p=1 -mod=mod', CGO_ENABLED: '0' };
  execFileSync(go, ['build', '-o', program, '.'], { cwd: folder, env, stdio: 'pipe', timeout: 600_000 });
  return program;
}

export function readWithGo(program: string, url: string, subject: string, count: number): GoMessage[] {
  const out = execFileSync(program, [url, subject, String(count)], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return out
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as GoMessage);
}

/** Messages per second, each confirmed. */
export function publishWithGo(program: string, url: string, subject: string, count: number, bytes: number, window: number): number {
  return Number(execFileSync(program, [url, subject, ...[count, bytes, window].map(String)], { encoding: 'utf8' }));
}
