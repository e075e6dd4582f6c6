// The `console` destination: changes on standard output. No driver.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, formatFor } from './config.ts';

export const descriptor = defineDestination({
  type: 'console',
  aliases: ['stdout'],
  title: 'Standard output: JSON lines, or a readable line per change',
  config: configSchema,
  capabilities: (config) => ({
    holdsPoint: false,
    idempotent: false,
    input: formatFor(config, process.stdout.isTTY === true) === 'json' ? 'bytes' : 'rows',
    keyless: true,
    maxInFlight: 1,
    creates: [],
  }),
  create: async (config, ctx) => {
    const { ConsoleDestination } = await import('./writer.ts');
    return new ConsoleDestination(config, ctx.name, process.stdout);
  },
});
