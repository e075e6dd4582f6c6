// Gets the programs of RabbitMQ: from the system, else from Debian's package, which is unpacked and not installed.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { canInstall, unpacked } from './debian-package.ts';
import type { Install, Installation } from './definition.ts';

const LIB = 'usr/lib/rabbitmq';

export const rabbitmqSystem: Install = {
  mode: 'system',
  async find(folder, say) {
    const known = installed('/') ?? installed(join(folder, 'deb-rabbitmq-server', 'root'));
    if (known !== null || !canInstall()) return known;
    say('unpacking RabbitMQ with apt-get');
    return installed(await unpacked('rabbitmq-server', folder, (name) => name.startsWith('erlang-') || name === 'erlang-base'));
  },
};

/** `lib/rabbitmq_server-3.10.8/sbin` below `root` holds the programs; the version is in its name. */
function installed(root: string): Installation | null {
  const lib = join(root, LIB, 'lib');
  const name = existsSync(lib) ? readdirSync(lib).find((f) => f.startsWith('rabbitmq_server-')) : undefined;
  if (name === undefined) return null;
  return { mode: 'system', version: name.slice('rabbitmq_server-'.length), bin: join(lib, name, 'sbin') };
}
