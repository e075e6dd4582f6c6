// Gets the programs of Redis: from the path, else from Debian's packages.

import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Install, Installation } from './definition.ts';
import { run } from './processes.ts';

/** `Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=…` → the version. */
export function parseRedisVersion(text: string): string {
  return /\bv=(\d+(?:\.\d+)+)/.exec(text)?.[1] ?? 'unknown';
}

export const redisSystem: Install = {
  mode: 'system',
  async find(folder, say) {
    const found = await findRedis(folder);
    if (found !== null || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return found;
    say('installing Redis with apt-get');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update'], { env });
    // The tools alone: the package of the server would start one.
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'redis-tools'], { env });
    return findRedis(folder);
  },
};

async function findRedis(folder: string): Promise<Installation | null> {
  const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter)].filter((f) => f !== '');
  const server = folders.find((f) => existsSync(join(f, 'redis-server')));
  if (server !== undefined) return installed(server);
  const tools = folders.find((f) => existsSync(join(f, 'redis-check-rdb')));
  return tools === undefined ? null : installed(linked(folder, join(tools, 'redis-check-rdb')));
}

/** One program does it all, and goes by the name that it is called by: the tools hold the server, too. */
function linked(folder: string, program: string): string {
  const bin = join(folder, 'redis-bin');
  mkdirSync(bin, { recursive: true });
  for (const name of ['redis-server', 'redis-sentinel']) if (!existsSync(join(bin, name))) symlinkSync(program, join(bin, name));
  return bin;
}

async function installed(bin: string): Promise<Installation> {
  return { mode: 'system', bin, version: parseRedisVersion(await run(join(bin, 'redis-server'), ['--version'])) };
}
