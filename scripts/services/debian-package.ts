// Programs of a Debian package that would start a server when it is installed: it is unpacked instead, and only the packages of its
// libraries are installed.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes.ts';

const ENV = (): NodeJS.ProcessEnv => ({ ...process.env, DEBIAN_FRONTEND: 'noninteractive' });

export const canInstall = (): boolean => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');

/** Unpacks a package into `folder`, once; `isLibrary` picks what it needs among the packages it depends on. The root of its files. */
export async function unpacked(name: string, folder: string, isLibrary: (name: string) => boolean): Promise<string> {
  const home = join(folder, `deb-${name}`),
    root = join(home, 'root');
  if (existsSync(join(home, '.ready'))) return root;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await run('apt-get', ['update'], { env: ENV() });
  await run('apt-get', ['download', name], { env: ENV(), cwd: home });
  const file = readdirSync(home).find((f) => f.endsWith('.deb'));
  if (file === undefined) throw new Error(`apt-get downloaded no ${name}`);
  const libraries = dependenciesOf(await run('dpkg-deb', ['-f', join(home, file), 'Depends'])).filter(isLibrary);
  if (libraries.length > 0) await install(...libraries);
  await run('dpkg-deb', ['-x', join(home, file), root]);
  rmSync(join(home, file));
  writeFileSync(join(home, '.ready'), '');
  return root;
}

export async function install(...packages: readonly string[]): Promise<void> {
  await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { env: ENV(), timeoutMs: 600_000 });
}

/** `erlang-base (>= 1:24) | esl-erlang, adduser` → `erlang-base`, `adduser`. */
export function dependenciesOf(text: string): string[] {
  return text
    .split(',')
    .map((part) =>
      (part.split('|')[0] ?? '')
        .replace(/\(.*\)/, '')
        .replace(/:any\b/, '')
        .trim(),
    )
    .filter((name) => name !== '');
}
