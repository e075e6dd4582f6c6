// Configuration of the `console` destination: changes on standard output, for machines or for people.

import { type ConfigOf, Default, Keys, OneOf } from '../../sdk/index.ts';

export const configSchema = Keys(
  {
    format: Default(
      OneOf(['auto', 'json', 'pretty'], {
        description:
          'json = one line per record in the envelope of the destination; pretty = one readable line per event; auto = pretty on a terminal, else json.',
        examples: ['pretty'],
      }),
      'auto',
    ),
  },
  { description: 'Writes changes to standard output.' },
);

export type ConsoleConfig = ConfigOf<typeof configSchema>;

/** The format in use on this standard output. */
export function formatFor(config: ConsoleConfig, isTerminal: boolean): 'json' | 'pretty' {
  if (config.format !== 'auto') return config.format;
  return isTerminal ? 'pretty' : 'json';
}
