// Commands that run pipelines, and that look at them before and meanwhile.

import type { Command } from 'commander';
import { collect, parseLimit } from '../arguments.ts';
import type { ValidateFlags } from '../commands/validate.ts';
import { type AddCommand, type FileOptions, files } from './command.ts';

export interface RunFlags {
  readonly untilCaughtUp: boolean;
  readonly limit: number | null;
  readonly failFast: boolean;
  readonly rejoin: readonly string[];
}

export function addRunning(command: AddCommand): void {
  command<FileOptions & RunFlags>(
    'run [files...]',
    'run pipelines as their files say (the default command)',
    (c) => runFlags(files(c)),
    async (cli, args, o) => (await import('../commands/run.ts')).run(cli, inputs(args, o), o),
    ['pipelines/orders.yaml', 'run pipelines/orders.yaml --until-caught-up', 'run a.yaml b.yaml --set sync.mode=one_time'],
  );
  command<FileOptions & RunFlags>(
    'start',
    'run every pipeline of the folder pipelines/, or of -c',
    (c) => runFlags(files(c)),
    async (cli, args, o) => (await import('../commands/run.ts')).start(cli, inputs(args, o), o),
    ['start', 'start -c conf/pipelines/'],
  );
  command<FileOptions & ValidateFlags>(
    'validate [files...]',
    'check pipeline files without running them',
    (c) =>
      files(c)
        .option('--connect', 'also ask the servers: reachable, permitted, set up?', false)
        .option('--print', 'also print the pipelines; files of other programs as what they mean here', false),
    async (cli, args, o) => (await import('../commands/validate.ts')).validate(cli, inputs(args, o), o),
    ['validate pipelines/', 'validate pipelines/orders.yaml --connect'],
  );
  command<FileOptions & { connect: boolean }>(
    'plan [files...]',
    'show guarantees, risks, and what would be created',
    (c) => files(c).option('--connect', 'also ask the servers what a start would do and change; 4 when a check says no', false),
    async (cli, args, o) => (await import('../commands/plan.ts')).plan(cli, inputs(args, o), o.connect),
    ['plan pipelines/orders.yaml', 'plan pipelines/orders.yaml --connect'],
  );
  command<FileOptions & { state: readonly string[] }>(
    'status [names...]',
    'show running pipelines, and where stopped ones stand',
    (c) => files(c).option('--state <file>', 'look in this state file (repeatable)', collect, []),
    async (cli, args, o) => (await import('../commands/status.ts')).status(cli, args, o),
    ['status', 'status orders --json'],
  );
  command<FileOptions>(
    'lag <pipeline>',
    'how far behind: bytes, milliseconds, what the source keeps',
    files,
    async (cli, args, o) => (await import('../commands/lag.ts')).lag(cli, args[0] ?? '', o),
    ['lag orders', 'lag pipelines/orders.yaml --json'],
  );
}

function inputs(args: readonly string[], options: FileOptions): readonly string[] {
  return [...args, ...options.config];
}

function runFlags(command: Command): Command {
  return command
    .option('--until-caught-up', 'end once everything that exists now is delivered', false)
    .option('--limit <n>', 'end after about this many events', parseLimit, null)
    .option('--fail-fast', 'give up at once when a destination is unreachable at the start', false)
    .option('--rejoin <destination>', 'let a detached or emptied destination join anew (repeatable)', collect, []);
}
