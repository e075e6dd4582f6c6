// Commands that write pipeline files, and what helps to write them.

import type { Command } from 'commander';
import { collect, parseChoice } from '../arguments.ts';
import type { AddCommand } from './command.ts';

export interface GenerateFlags {
  readonly source?: string;
  readonly destination: readonly string[];
  readonly mode?: 'one_time' | 'continuous' | 'cron';
  readonly name?: string;
  readonly output?: string;
  readonly force: boolean;
}

export interface MigrateFlags {
  readonly output?: string;
  readonly force: boolean;
}

export function addWritingFiles(command: AddCommand): void {
  command<GenerateFlags>(
    'generate-config',
    'write a commented pipeline file; asks on a terminal',
    generateOptions,
    async (cli, _args, o) => (await import('../commands/generate-config.ts')).generateConfig(cli, o),
    ['init', 'generate-config --source sqlite --destination postgresql --name orders'],
  ).alias('init');
  command<MigrateFlags>(
    'migrate <file>',
    'write a pipeline from a Debezium file, and tell what differs',
    (c) =>
      c
        .option('-o, --output <file>', 'where to write it; without, and with -, standard output')
        .option('--force', 'replace the file if there is one', false),
    async (cli, args, o) => (await import('../commands/migrate.ts')).migrate(cli, args[0] ?? '', o),
    ['migrate conf/application.properties -o pipelines/inventory.yaml', 'migrate connect.json'],
  );
  command<object>(
    'adapters',
    'list sources, destinations and plugins with what they can do',
    (c) => c,
    async (cli) => (await import('../commands/adapters.ts')).adapters(cli),
    ['adapters', 'adapters --json'],
  );
  command<object>(
    'schema [type]',
    'print the JSON Schema of pipeline files, or of one type',
    (c) => c,
    async (cli, args) => (await import('../commands/schema.ts')).schema(cli, args[0] ?? null),
    ['schema > pipeline.schema.json', 'schema postgresql'],
  );
}

function generateOptions(command: Command): Command {
  return command
    .option('--source <type>', 'type of the source')
    .option('--destination <type>', 'type of a destination (repeatable)', collect, [])
    .option('--mode <mode>', 'one_time, continuous or cron', parseChoice('--mode', ['one_time', 'continuous', 'cron']))
    .option('--name <name>', 'name of the pipeline')
    .option('-o, --output <file>', 'where to write it; - is standard output (default: pipelines/<name>.yaml)')
    .option('--force', 'replace the file if there is one', false);
}
