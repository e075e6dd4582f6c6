// The command line: options of all commands, and the groups of commands. The module that carries a command out is imported when it
// runs, so that `--help` loads nothing but these.

import { Command, CommanderError } from 'commander';
import { packageVersion } from '../package-info.ts';
import type { CdcError } from '../sdk/errors.ts';
import { LOG_LEVELS } from '../sdk/logger.ts';
import { collect, LOG_FORMATS, parseChoice, parseSet, usageError } from './arguments.ts';
import type { World } from './cli.ts';
import { EXIT } from './exit-code.ts';
import { programHelp } from './help.ts';
import { commandsOf } from './program/command.ts';
import { addPlaces } from './program/places.ts';
import { addReadingAgain } from './program/reading-again.ts';
import { addRunning } from './program/running.ts';
import { addSetAside } from './program/set-aside.ts';
import { addWritingFiles } from './program/writing-files.ts';

/** In the order of `--help`. */
const GROUPS = [addRunning, addReadingAgain, addPlaces, addWritingFiles, addSetAside];

/** Runs the command line (without `node` and script) and resolves with the exit code. Throws `CdcError`. */
export async function execute(argv: readonly string[], world: World): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(world, (code) => {
    exitCode = code;
  });
  if (argv.length === 0) {
    world.stderr.write(program.helpInformation());
    return EXIT.configuration;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    throw fromCommander(error);
  }
  return exitCode;
}

function createProgram(world: World, done: (exitCode: number) => void): Command {
  const program = new Command('cdc-run')
    .description('Captures changes from databases, files and brokers, and delivers them: one YAML file, one process.')
    .helpOption('-h, --help')
    .helpCommand('help [command]')
    .exitOverride()
    .configureHelp({ formatHelp: programHelp })
    .configureOutput({
      writeOut: (text) => {
        world.stdout.write(text);
      },
      writeErr: (text) => {
        world.stderr.write(text);
      },
      outputError: () => {},
    })
    .option('--set <path=value>', 'override a key of the pipeline files (repeatable)', parseSet, [])
    .option('--env-file <file>', 'read variables for ${VAR} from a file (repeatable)', collect, [])
    .option('--json', 'print results as JSON', false)
    .option('--log-format <format>', 'auto, json or pretty; auto is pretty on a terminal', parseChoice('--log-format', LOG_FORMATS), 'auto')
    .option('--log-level <level>', `${LOG_LEVELS.join(', ')}; else LOG_LEVEL, else info`, parseChoice('--log-level', LOG_LEVELS));
  version(program, world);
  const command = commandsOf(program, world, done);
  for (const add of GROUPS) add(command);
  return program;
}

/** The version is read from package.json when it is asked for, not at every start. */
function version(program: Command, world: World): void {
  program.option('-V, --version', 'print the version', false);
  program.on('option:version', () => {
    world.stdout.write(`${packageVersion()}\n`);
    throw new CommanderError(0, 'commander.version', '');
  });
}

/** `error: unknown option '--limt'\n(Did you mean --limit?)` as one of our errors. */
function fromCommander(error: CommanderError): CdcError {
  const [first = '', hint] = error.message.replace(/^error: /, '').split('\n');
  const fix =
    hint === undefined ? 'Run `cdc-run --help`, or `cdc-run <command> --help`.' : `${hint.replace(/^\(|\)$/g, '')} See \`cdc-run --help\`.`;
  return usageError(first.charAt(0).toUpperCase() + first.slice(1), fix);
}
