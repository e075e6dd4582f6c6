// How a command of the command line is written down: its words, its options, and what carries it out.

import type { Command } from 'commander';
import { collect } from '../arguments.ts';
import { type Cli, createCli, type GlobalOptions, type World } from '../cli.ts';
import { commandHelp } from '../help.ts';

/** Returns the exit code. What it needs is imported when it is called, so that `--help` loads none of it. */
type Action<O> = (cli: Cli, args: readonly string[], options: O) => Promise<number>;

/** Adds a command. `spec`: its name and arguments. */
export type AddCommand = <O>(
  spec: string,
  summary: string,
  options: (command: Command) => Command,
  run: Action<O>,
  examples: readonly string[],
) => Command;

export interface FileOptions {
  readonly config: readonly string[];
}

/** `done` is called with the exit code of the command that was run. */
export function commandsOf(program: Command, world: World, done: (exitCode: number) => void): AddCommand {
  return <O>(spec: string, summary: string, options: (c: Command) => Command, run: Action<O>, examples: readonly string[]): Command => {
    const command = program.command(spec, { isDefault: spec.startsWith('run ') }).description(summary);
    return options(command)
      .configureHelp({ formatHelp: (c) => commandHelp(c, examples) })
      .action(async (...call: unknown[]) => {
        const cli = createCli(world, globalOptions(program));
        const args = call
          .slice(0, -2)
          .flat()
          .filter((arg): arg is string => typeof arg === 'string');
        done(await run(cli, args, command.opts() as O));
      });
  };
}

function globalOptions(program: Command): GlobalOptions {
  const { set, envFile, json, logFormat, logLevel } = program.opts<GlobalOptions & { logLevel?: GlobalOptions['logLevel'] }>();
  return { set, envFile, json, logFormat, logLevel: logLevel ?? null };
}

export function files(command: Command): Command {
  return command.option('-c, --config <file>', 'a pipeline file, folder or glob (repeatable)', collect, []);
}
