// `cdc-run <files…>`, `run` and `start`: runs pipelines until they are done or somebody stops them, shows progress, and tells at
// the end what was done.

import { existsSync } from 'node:fs';
import { suggest } from '../../config/suggest.ts';
import type { PipelineHandle, PipelineStatus } from '../../engine/api.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { createLogger } from '../../observability/logging.ts';
import { packageVersion } from '../../package-info.ts';
import type { Logger } from '../../sdk/logger.ts';
import { systemRandom } from '../../sdk/ports.ts';
import { logLevelOf, usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { environment } from '../environment.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { assertAvailable, inputsOrDefault, loadOrReport } from '../load.ts';
import { letYoungGenerationGrow } from '../memory.ts';
import { type Operations, openOperations } from '../operations.ts';
import { wantsColor } from '../output.ts';
import type { RunFlags } from '../program/running.ts';
import { showProgress } from '../progress.ts';
import { Screen } from '../screen.ts';
import { onStopSignal } from '../signals.ts';
import { summaryDocument, summaryLines } from '../summary.ts';

export async function start(cli: Cli, inputs: readonly string[], flags: RunFlags): Promise<number> {
  return run(cli, inputsOrDefault(inputs, 'start -c'), flags);
}

export async function run(cli: Cli, inputs: readonly string[], flags: RunFlags): Promise<number> {
  if (inputs.length === 0)
    throw usageError('No pipeline file was named', 'Name one: `cdc-run pipelines/orders.yaml`, or write one with `cdc-run init`.');
  assertNoCommand(inputs);
  const loaded = await loadOrReport(cli, inputs);
  if (loaded === null) return EXIT.configuration;
  const { pipelines: configs, warnings } = loaded;
  assertAvailable(configs);

  const { world, output } = cli;
  const toStdout = configs.some((config) => config.destinations.some((d) => d.type === 'console'));
  // Progress lines and changes on one terminal would overwrite each other.
  const screen = new Screen(world.stderr, isLive(cli) && !(toStdout && world.stdout.isTTY === true));
  const logger = loggerFor(cli, screen);
  if (screen.live) screen.write(banner(configs, output.errColors));
  for (const { code, message, fix, file, line, column } of warnings) logger.warn(message, { code, fix, at: `${file}:${line}:${column}` });

  const handles = await runToEnd(cli, configs, flags, { screen, logger });
  return conclude(cli, handles, toStdout);
}

interface Surroundings {
  readonly screen: Screen;
  readonly logger: Logger;
}

/** Opens everything, waits for the end, closes everything. */
async function runToEnd(
  cli: Cli,
  configs: readonly PipelineConfig[],
  flags: RunFlags,
  { screen, logger }: Surroundings,
): Promise<readonly PipelineHandle[]> {
  const { clock } = cli.world;
  const ended = new AbortController();
  let handles: readonly PipelineHandle[] = [];
  let stop: (() => unknown) | null = null;
  let stopAsked = false;
  const unlisten = onStopSignal(process, (signal) => {
    stopAsked = true;
    if (screen.live) screen.write(`${signal}: finishing what is in flight; once more to end at once\n`);
    else logger.info('stopping', { signal });
    stop?.();
  });
  const { openRuntime } = await import('../../run.ts');
  let operations: Operations | null = null;
  try {
    operations = await openOperations(configs, () => handles, { clock, logger });
    const runtime = await openRuntime(configs, { ...flags, logger, clock, random: systemRandom });
    operations.setErrors((pipeline) => runtime.errors(pipeline));
    operations.setLetters((pipeline) => runtime.letters(pipeline));
    handles = runtime.handles;
    letYoungGenerationGrow();
    stop = () => runtime.stop();
    if (stopAsked) void runtime.stop();
    const progress = showProgress(handles, { clock, logger, screen, colors: cli.output.errColors }, ended.signal);
    await runtime.done;
    ended.abort();
    await progress;
    return handles;
  } finally {
    ended.abort();
    await operations?.[Symbol.asyncDispose]();
    unlisten();
    screen.clear();
  }
}

/** Prints summaries and errors; the exit code is that of the first pipeline that failed. */
function conclude(cli: Cli, handles: readonly PipelineHandle[], toStdout: boolean): number {
  const { output, world } = cli;
  const ends = handles.map((handle) => ({ status: handle.status(), config: handle.config }));
  const failed = ends.filter(({ status }) => status.run.outcome === 'failed');
  // The program that read our output has seen enough and gone (`| head`): that is an end, not a failure to report.
  if (toStdout && world.stdoutBroken()) return EXIT.ok;
  for (const { status, config } of ends) {
    if (output.json) output.document(summaryDocument(status, config, world.clock.now()), toStdout);
    else {
      // Where a destination writes changes to stdout, the summary must not get among them.
      const lines = summaryLines(status, config, world.clock.now(), toStdout ? output.errColors : output.colors);
      if (toStdout) output.note(lines);
      else output.print(lines);
    }
  }
  if (!output.json) for (const { status } of failed) reportFailure(cli, status);
  return failed[0] === undefined ? EXIT.ok : exitCodeOfFailure(failed[0].status);
}

function reportFailure({ output, options, world }: Cli, status: PipelineStatus): void {
  const error = status.run.error ?? status.error;
  if (error !== null) output.error(error, (options.logLevel ?? world.env['LOG_LEVEL']) === 'debug');
}

function exitCodeOfFailure(status: PipelineStatus): number {
  const error = status.run.error ?? status.error;
  return error === null ? EXIT.runtime : exitCodeOf(error.code);
}

/** `cdc-run valdate x.yaml` reaches us as a file that does not exist: say what was meant. */
function assertNoCommand(inputs: readonly string[]): void {
  const commands = ['run', 'start', 'validate', 'plan', 'status', 'generate-config', 'init', 'adapters', 'schema', 'dlq', 'audit', 'help'];
  for (const input of inputs) {
    if (!/^[a-z][a-z-]*$/.test(input) || existsSync(input)) continue;
    if (commands.includes(input))
      throw usageError(`"${input}" is a command, and must come first`, `Write \`cdc-run ${input} …\`, with its options behind it.`);
    const meant = suggest(input, commands);
    throw usageError(
      `There is no command and no file "${input}"`,
      meant === undefined ? 'See `cdc-run --help`.' : `Did you mean \`cdc-run ${meant}\`?`,
    );
  }
}

function isLive({ world, options }: Cli): boolean {
  return world.stderr.isTTY === true && world.env['TERM'] !== 'dumb' && options.logFormat !== 'json';
}

/** Pretty on a terminal, JSON lines elsewhere, unless told otherwise. Lines go above the progress lines. */
function loggerFor({ world, options }: Cli, screen: Screen): Logger {
  const format = options.logFormat === 'auto' ? (world.stderr.isTTY === true ? 'pretty' : 'json') : options.logFormat;
  const level = logLevelOf(options.logLevel, environment(world.env, options.envFile)['LOG_LEVEL']);
  return createLogger({
    level,
    format,
    clock: world.clock,
    color: wantsColor(world.stderr, world.env),
    write: (line) => {
      screen.write(line);
    },
  });
}

/** `cdc-run 0.1.0` and a line per pipeline. */
function banner(configs: readonly PipelineConfig[], c: Cli['output']['colors']): string {
  const lines = configs.map((config) => {
    const from = config.sources.map((s) => `${s.name} ${c.dim(`(${s.type})`)}`).join(', ');
    const to = config.destinations.map((d) => `${d.name} ${c.dim(`(${d.type})`)}`).join(', ');
    const when = config.sync.mode === 'cron' ? `cron ${config.sync.schedule ?? ''} ${config.sync.timezone}` : config.sync.mode;
    return `  ${c.bold(config.name)}  ${from}${to === '' ? '' : ` ${c.dim('→')} ${to}`}  ${c.dim(when)}`;
  });
  const hint = configs.some((config) => config.sync.mode !== 'one_time') ? c.dim(' · Ctrl-C ends it cleanly') : '';
  return `${c.bold('cdc-run')} ${packageVersion()}${hint}\n${lines.join('\n')}\n`;
}
