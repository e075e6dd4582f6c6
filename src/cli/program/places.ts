// Commands on what a pipeline has stored: its places, and that it was there at all.

import type { Command } from 'commander';
import { type AddCommand, files } from './command.ts';

export interface OffsetsFlags {
  readonly config: readonly string[];
  readonly connect: boolean;
  readonly history: boolean;
  readonly source?: string;
  readonly partition?: string;
  readonly position?: string;
  readonly lane?: string;
  readonly to?: string;
  readonly in?: string;
  readonly out?: string;
  readonly yes: boolean;
}

export interface ForgetFlags {
  readonly config: readonly string[];
  readonly lane?: string;
  readonly state?: string;
  readonly yes: boolean;
}

export function addPlaces(command: AddCommand): void {
  command<OffsetsFlags>(
    'offsets [action] [pipeline]',
    'show where a pipeline stands; set, rollback, export or import it',
    offsetsOptions,
    async (cli, args, o) => (await import('../commands/offsets.ts')).offsets(cli, args, o),
    [
      'offsets orders --connect --history',
      'offsets set orders --source shop --position 42 --yes',
      'offsets rollback orders --to 12',
      'offsets export orders --out orders.json',
    ],
  );
  command<ForgetFlags>(
    'forget <pipeline>',
    'remove the state of a destination that is gone, or of a pipeline',
    (c) =>
      files(c)
        .option('--lane <destination>', 'of this destination alone')
        .option('--state <path>', 'the state, when the pipeline has no file any more')
        .option('--yes', 'do it; without, it is shown and asked', false),
    async (cli, args, o) => (await import('../commands/forget.ts')).forget(cli, args[0] ?? '', o),
    ['forget orders --lane archive', 'forget orders --yes'],
  );
}

function offsetsOptions(command: Command): Command {
  return files(command)
    .option('--connect', 'also show what the destinations hold', false)
    .option('--history', 'also show earlier checkpoints', false)
    .option('--source <name>', 'set: the source whose position is set')
    .option('--partition <name>', 'set: its partition; may be left out when there is one')
    .option('--position <position>', 'set: as the source writes it')
    .option('--lane <destination>', 'set, rollback, import: this destination alone')
    .option('--to <checkpoint>', 'rollback: number of a checkpoint, or a time')
    .option('--out <file>', 'export: write here instead of to standard output')
    .option('--in <file>', 'import: what `export` wrote')
    .option('--yes', 'do it; without, what would happen is shown', false);
}
