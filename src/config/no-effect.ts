// Common keys that change nothing for the adapter they are given to. They are allowed, but not passed over in silence.

import { isPlanned } from '../catalog.ts';
import type { Checked } from './components.ts';
import type { ConfigDocument } from './document.ts';
import { formatPath } from './issue.ts';

export function warnOfNoEffect(
  { component, descriptor, found, common }: Checked<{ readonly connection_pool?: unknown }>,
  document: ConfigDocument,
): void {
  if (isPlanned(descriptor)) return;
  const warn = (key: string, reason: string): void => {
    const path = [...found.keysAt, key];
    document.warn({
      code: 'CONFIG_NO_EFFECT',
      path,
      atKey: true,
      message: `${formatPath(path)} has no effect: ${reason}`,
      fix: 'Remove the key.',
    });
  };
  if (common.connection_pool !== undefined) warn('connection_pool', `type ${descriptor.type} has no pool of connections`);
  if (descriptor.kind !== 'destination' || found.keys['envelope'] === undefined) return;
  if (descriptor.capabilities(component.config as never).input === 'rows')
    warn('envelope', `type ${descriptor.type} writes rows, not records`);
}
