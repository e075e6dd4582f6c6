// The command line on one screen: every command, its options, and the module that carries it out. That module is imported when
// the command runs, so that `--help` loads nothing but this.

import { Command, CommanderError } from 'commander';
import { packageVersion } from '../package-info.ts';
import type { CdcError } from '../sdk/errors.ts';
import { LOG_LEVELS } from '../sdk/logger.ts';
import { collect, LOG_FORMATS, parseBefore, parseChoice, parseLimit, parseNames, parseOps, parseSet, usageError } from './arguments.ts';
import { type Cli, createCli, type GlobalOptions, type World } from './cli.ts';
import type { ConsumeFlags } from './commands/consume.ts';
import type { ReplayFlags } from './commands/replay.ts';
import type { SnapshotFlags } from './commands/snapshot.ts';
import { EXIT } from './exit-code.ts';
import { commandHelp, programHelp } from './help.ts';

/** As in envelope/create.ts, which `--help` does not load. */
const ENVELOPES = ['debezium', 'plain', 'cdc_event', 'sync_event', 'elide', 'cloudevents', 'row'] as const;

interface FileOptions {
  readonly config: readonly string[];
}
export interface RunFlags {
  readonly untilCaughtUp: boolean;
  readonly limit: number | null;
  readonly failFast: boolean;
  readonly rejoin: readonly string[];
}

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

type Done = (exitCode: number) => void;
type Action<O> = (cli: Cli, args: readonly string[], options: O) => Promise<number>;

function createProgram(world: World, done: Done): Command {
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
  const command = <O>(
    spec: string,
    summary: string,
    options: (c: Command) => Command,
    run: Action<O>,
    examples: readonly string[],
  ): Command => addCommand(program, world, done, { spec, summary, options, run, examples });

  command<FileOptions & RunFlags>(
    'run [files...]',
    'run pipelines as their files say (the default command)',
    (c) => runFlags(files(c)),
    async (cli, args, o) => (await import('./commands/run.ts')).run(cli, inputs(args, o), o),
    ['pipelines/orders.yaml', 'run pipelines/orders.yaml --until-caught-up', 'run a.yaml b.yaml --set sync.mode=one_time'],
  );
  command<FileOptions & RunFlags>(
    'start',
    'run every pipeline of the folder pipelines/, or of -c',
    (c) => runFlags(files(c)),
    async (cli, args, o) => (await import('./commands/run.ts')).start(cli, inputs(args, o), o),
    ['start', 'start -c conf/pipelines/'],
  );
  command<FileOptions & { connect: boolean }>(
    'validate [files...]',
    'check pipeline files without running them',
    (c) => files(c).option('--connect', 'also ask the servers: reachable, permitted, set up?', false),
    async (cli, args, o) => (await import('./commands/validate.ts')).validate(cli, inputs(args, o), o.connect),
    ['validate pipelines/', 'validate pipelines/orders.yaml --connect'],
  );
  command<FileOptions & { connect: boolean }>(
    'plan [files...]',
    'show guarantees, risks, and what would be created',
    (c) => files(c).option('--connect', 'also ask the servers what a start would do and change; 4 when a check says no', false),
    async (cli, args, o) => (await import('./commands/plan.ts')).plan(cli, inputs(args, o), o.connect),
    ['plan pipelines/orders.yaml', 'plan pipelines/orders.yaml --connect'],
  );
  command<FileOptions & { state: readonly string[] }>(
    'status [names...]',
    'show running pipelines, and where stopped ones stand',
    (c) => files(c).option('--state <file>', 'look in this state file (repeatable)', collect, []),
    async (cli, args, o) => (await import('./commands/status.ts')).status(cli, args, o),
    ['status', 'status orders --json'],
  );
  command<FileOptions>(
    'lag <pipeline>',
    'how far behind: bytes, milliseconds, what the source keeps',
    files,
    async (cli, args, o) => (await import('./commands/lag.ts')).lag(cli, args[0] ?? '', o),
    ['lag orders', 'lag pipelines/orders.yaml --json'],
  );
  command<ConsumeFlags>(
    'consume <topic>',
    'print the events of a log on disk: a pipeline, or <pipeline>.<table>',
    consumeOptions,
    async (cli, args, o) => (await import('./commands/consume.ts')).consume(cli, args[0] ?? '', o),
    ['consume orders', 'consume orders.items --from 90m --op u,d', 'consume orders --follow --where "row.total > 100"'],
  );
  command<ReplayFlags>(
    'replay <pipeline>',
    'send a stretch of the log on disk to a destination again',
    replayOptions,
    async (cli, args, o) => (await import('./commands/replay.ts')).replay(cli, args[0] ?? '', o),
    ['replay orders --from 6h --dry-run', 'replay orders --destination replica --from 2026-01-02T03:04:05Z --tables orders,items'],
  );
  command<SnapshotFlags>(
    'snapshot <pipeline>',
    'read tables again; pause, resume or skip their snapshot',
    snapshotOptions,
    async (cli, args, o) => (await import('./commands/snapshot.ts')).snapshot(cli, args[0] ?? '', o),
    [
      'snapshot orders --tables items,sales.orders',
      `snapshot orders --tables items --where "id > 1000"`,
      'snapshot orders --tables items --pause',
    ],
  );
  command<OffsetsFlags>(
    'offsets [action] [pipeline]',
    'show where a pipeline stands; set, rollback, export or import it',
    offsetsOptions,
    async (cli, args, o) => (await import('./commands/offsets.ts')).offsets(cli, args, o),
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
    async (cli, args, o) => (await import('./commands/forget.ts')).forget(cli, args[0] ?? '', o),
    ['forget orders --lane archive', 'forget orders --yes'],
  );
  command<GenerateFlags>(
    'generate-config',
    'write a commented pipeline file; asks on a terminal',
    generateOptions,
    async (cli, _args, o) => (await import('./commands/generate-config.ts')).generateConfig(cli, o),
    ['init', 'generate-config --source sqlite --destination postgresql --name orders'],
  ).alias('init');
  command<object>(
    'adapters',
    'list sources, destinations and plugins with what they can do',
    (c) => c,
    async (cli) => (await import('./commands/adapters.ts')).adapters(cli),
    ['adapters', 'adapters --json'],
  );
  command<object>(
    'schema [type]',
    'print the JSON Schema of pipeline files, or of one type',
    (c) => c,
    async (cli, args) => (await import('./commands/schema.ts')).schema(cli, args[0] ?? null),
    ['schema > pipeline.schema.json', 'schema postgresql'],
  );
  command<DlqFlags>(
    'dlq <action> <pipeline> [id]',
    'dead letters: list, show, export, replay, purge',
    dlqOptions,
    async (cli, args, o) => (await import('./commands/dlq.ts')).dlq(cli, args, o),
    [
      'dlq list orders',
      'dlq show orders 3f2a91bc',
      'dlq replay orders --code DESTINATION_EVENT_REJECTED --dry-run',
      'dlq export pipelines/orders.yaml --out letters.ndjson',
      'dlq purge orders --before 30d --yes',
    ],
  );
  command<AuditFlags>(
    'audit <action> <path>',
    'audit verify: check the hash chain of an audit log',
    auditOptions,
    async (cli, args, o) => (await import('./commands/audit.ts')).audit(cli, args[0] ?? '', args[1] ?? '', o),
    ['audit verify .cdc/audit/orders.ndjson', 'audit verify .cdc/audit/orders.ndjson --public-key audit.pub.pem'],
  );
  return program;
}

interface CommandSpec<O> {
  readonly spec: string;
  readonly summary: string;
  readonly options: (c: Command) => Command;
  readonly run: Action<O>;
  readonly examples: readonly string[];
}

function addCommand<O>(program: Command, world: World, done: Done, { spec, summary, options, run, examples }: CommandSpec<O>): Command {
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
}

function globalOptions(program: Command): GlobalOptions {
  const { set, envFile, json, logFormat, logLevel } = program.opts<GlobalOptions & { logLevel?: GlobalOptions['logLevel'] }>();
  return { set, envFile, json, logFormat, logLevel: logLevel ?? null };
}

function files(command: Command): Command {
  return command.option('-c, --config <file>', 'a pipeline file, folder or glob (repeatable)', collect, []);
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

export interface GenerateFlags {
  readonly source?: string;
  readonly destination: readonly string[];
  readonly mode?: 'one_time' | 'continuous' | 'cron';
  readonly name?: string;
  readonly output?: string;
  readonly force: boolean;
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

function consumeOptions(command: Command): Command {
  return files(command)
    .option('--from-beginning', 'from the oldest event that is kept (the default without --follow)', false)
    .option('--from <time|record>', 'from a time (2026-01-02T03:04:05Z), an age (90m) or the number of a record')
    .option('-f, --follow', 'go on with what comes', false)
    .option('--table <table>', 'only this table: items, public.items (repeatable)', collect, [])
    .option('--op <ops>', 'only these operations: c,u,d,r,t,m,s', parseOps)
    .option('--where <expression>', 'only events for which this is true, as in the filter transformer')
    .option('--limit <n>', 'end after this many events', parseLimit, null)
    .option('--envelope <type>', `shape of the lines: ${ENVELOPES.join(', ')}`, parseChoice('--envelope', ENVELOPES), 'debezium');
}

function replayOptions(command: Command): Command {
  return files(command)
    .option('--destination <name>', 'who gets it again; may be left out when there is one')
    .option('--from <time|record>', 'from a time (2026-01-02T03:04:05Z), an age (90m) or the number of a record')
    .option('--to <time|record>', 'up to there, instead of up to where the destination stands; needs --force')
    .option('--tables <tables>', 'only these: items,public.orders', parseNames, [])
    .option('--dry-run', 'only show what would be sent', false)
    .option('--force', 'also what may leave rows older than they are', false)
    .option('--cancel', 'take a replay back that a stopped pipeline has not done', false);
}

function snapshotOptions(command: Command): Command {
  return files(command)
    .option('--tables <tables>', 'these: items,sales.orders,audit.*', parseNames, [])
    .option('--source <name>', 'of this source; may be left out when there is one')
    .option('--where <condition>', 'only rows that meet it, in the language of the source')
    .option('--pause', 'read no more of them until --resume', false)
    .option('--resume', 'go on with what was paused', false)
    .option('--skip', 'give up what is not out yet', false);
}

export interface DlqFlags extends FileOptions {
  readonly all: boolean;
  readonly id: readonly string[];
  readonly code: readonly string[];
  /** Milliseconds since the epoch. */
  readonly before?: number;
  readonly out?: string;
  readonly decrypt: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly yes: boolean;
}

function dlqOptions(command: Command): Command {
  return files(command)
    .option('--all', 'list: each letter, not grouped by cause; replay, purge: all letters', false)
    .option('--id <id>', 'replay, purge: this letter, by its id or its short one (repeatable)', collect, [])
    .option('--code <code>', 'replay, purge: letters with this error code (repeatable)', collect, [])
    .option('--before <time>', 'replay, purge: last tried before: 2026-01-31, or 30d ago', parseBefore)
    .option('--dry-run', 'replay: only say what would be sent', false)
    .option('--force', 'replay: also what may undo newer events; export: replace the file', false)
    .option('--yes', 'purge: yes, remove them for good', false)
    .option('--out <file>', 'export: write to this file')
    .option('--decrypt', 'show, export: with the columns that are encrypted', false);
}

export interface AuditFlags {
  readonly publicKey?: string;
  readonly hmacKeyFile?: string;
}

/** Keys come from files: what stands on the command line is seen by everybody on the machine. */
function auditOptions(command: Command): Command {
  return command
    .option('--public-key <file>', 'check signatures with this Ed25519 public key (PEM)')
    .option('--hmac-key-file <file>', 'check signatures with the shared secret in this file');
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
