// Gets the server of NATS: the newest by Go from its module, or Debian's package, unpacked and not installed, since the package
// would start a server.

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Install, Installation } from './definition.ts';
import { run } from './processes.ts';

/** The one that tests were written with; atomic batches came with 2.12. */
const VERSION = 'v2.15.2';

/** `nats-server: v2.15.2` → `2.15.2` */
export function parseNatsVersion(text: string): string {
  return /\bv(\d+(?:\.\d+)+)/.exec(text)?.[1] ?? 'unknown';
}

export const natsByGo: Install = {
  mode: 'go',
  async find(folder, say) {
    const bin = join(folder, `nats-server-${VERSION}`);
    if (!existsSync(join(bin, 'nats-server'))) {
      const go = programIn('go', ['/usr/local/go/bin']);
      if (go === null) return null;
      say(`building NATS ${VERSION} with Go`);
      mkdirSync(bin, { recursive: true });
      await run(go, ['install', `github.com/nats-io/nats-server/v2@${VERSION}`], {
        env: { ...process.env, GOBIN: bin, GOFLAGS: '-p=1', CGO_ENABLED: '0' },
        timeoutMs: 900_000,
      });
    }
    return installed('go', bin);
  },
};

export const natsByDebian: Install = {
  mode: 'system',
  async find(folder, say) {
    const home = join(folder, 'nats-debian'),
      bin = join(home, 'usr/bin');
    for (const there of ['/usr/sbin', '/usr/bin']) if (existsSync(join(there, 'nats-server'))) return installed('system', there);
    const packed = ['usr/sbin', 'usr/bin'].map((p) => join(home, p)).find((p) => existsSync(join(p, 'nats-server')));
    if (packed !== undefined) return installed('system', packed);
    if (programIn('apt-get') === null || programIn('dpkg-deb') === null) return null;
    say('fetching the package of NATS with apt-get');
    mkdirSync(home, { recursive: true });
    const download = (): Promise<string> => run('apt-get', ['download', 'nats-server'], { cwd: home });
    await download().catch(async () => {
      // Where packages were never asked for there is no list of them.
      await run('apt-get', ['update']);
      await download();
    });
    const file = readdirSync(home).find((name) => name.endsWith('.deb'));
    if (file === undefined) return null;
    await run('dpkg-deb', ['-x', join(home, file), home]);
    return installed('system', existsSync(join(bin, 'nats-server')) ? bin : join(home, 'usr/sbin'));
  },
};

async function installed(mode: Installation['mode'], bin: string): Promise<Installation> {
  return { mode, bin, version: parseNatsVersion(await run(join(bin, 'nats-server'), ['--version'])) };
}

function programIn(name: string, also: readonly string[] = []): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...also].filter((f) => f !== '');
  const found = folders.find((f) => existsSync(join(f, name)));
  return found === undefined ? null : join(found, name);
}
