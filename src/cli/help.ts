// How `--help` reads: what it is, the commands, the options that matter to this command, examples.

import type { Command, Option } from 'commander';
import { table } from './format.ts';

const EXAMPLES: readonly (readonly [string, string])[] = [
  ['pipelines/orders.yaml', 'run one pipeline'],
  ['pipelines/orders.yaml --until-caught-up', 'deliver what is there, then end'],
  ['init', 'write your first pipeline file'],
  ['validate pipelines/ --connect', 'check files and servers'],
  ['plan pipelines/orders.yaml', 'what is guaranteed, what is created'],
];

/** In the columns of the other options. */
const HELP_OPTION = '  -h, --help                 show help';

/** The page of the whole program. */
export function programHelp(program: Command): string {
  return [
    'Usage: cdc-run <files...> [options]',
    '       cdc-run <command> [options]',
    '',
    program.description(),
    '',
    'Commands:',
    ...table(program.commands.map((c) => [terms(c), c.description()])),
    '',
    'Options of all commands:',
    ...optionLines(program.options),
    HELP_OPTION,
    '',
    'Examples:',
    ...table(EXAMPLES.map(([example, what]) => [`$ cdc-run ${example}`, what])),
    '',
    'Options of one command: cdc-run <command> --help',
    'Exit codes: 0 ok, 1 failed while running, 2 configuration, 3 environment, 4 a check said no, 128+n second signal',
    '',
  ].join('\n');
}

/** The page of one command. */
export function commandHelp(command: Command, examples: readonly string[]): string {
  const own = command.options.length === 0 ? [] : ['', 'Options:', ...optionLines(command.options)];
  return [
    `Usage: cdc-run ${[command.name(), ...argumentsOf(command)].join(' ')} [options]`,
    '',
    sentence(command.description()),
    ...own,
    '',
    'Options of all commands:',
    ...optionLines(command.parent?.options ?? []),
    HELP_OPTION,
    '',
    'Examples:',
    ...examples.map((example) => `  $ cdc-run ${example}`),
    '',
  ].join('\n');
}

/** `validate [files...]`, `generate-config, init` */
function terms(command: Command): string {
  return [[command.name(), ...command.aliases()].join(', '), ...argumentsOf(command)].join(' ');
}

function argumentsOf(command: Command): string[] {
  return command.registeredArguments.map((a) => {
    const name = `${a.name()}${a.variadic ? '...' : ''}`;
    return a.required ? `<${name}>` : `[${name}]`;
  });
}

function optionLines(options: readonly Option[]): string[] {
  return table(options.filter((o) => !o.hidden).map((o) => [o.short === undefined ? `    ${o.flags}` : o.flags, o.description]));
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
