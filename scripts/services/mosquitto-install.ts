// Gets the programs of Mosquitto: from the system, else from Debian's package, which is unpacked and not installed. Its clients, which
// start nothing, are installed.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { canInstall, install, unpacked } from './debian-package.ts';
import type { Install, Installation } from './definition.ts';
import { run } from './processes.ts';

export const mosquittoSystem: Install = {
  mode: 'system',
  async find(folder, say) {
    const folders = ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter), join(folder, 'deb-mosquitto', 'root', 'usr', 'sbin')];
    const known = folders.find((f) => f !== '' && existsSync(join(f, 'mosquitto')));
    if (known !== undefined) return installed(known);
    if (!canInstall()) return null;
    say('unpacking Mosquitto with apt-get');
    const root = await unpacked('mosquitto', folder, (name) => name.startsWith('lib'));
    await install('mosquitto-clients');
    return installed(join(root, 'usr', 'sbin'));
  },
};

/** `mosquitto version 2.0.11` → the version. */
async function installed(bin: string): Promise<Installation> {
  // It shows its usage, and says by its exit code that this was not a start.
  const said = await run('/bin/sh', ['-c', '"$0" -h || :', join(bin, 'mosquitto')]);
  return { mode: 'system', bin, version: /version (\d+(?:\.\d+)+)/.exec(said)?.[1] ?? 'unknown' };
}
