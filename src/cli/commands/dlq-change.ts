// `cdc-run dlq purge` and `dlq replay`: change the queue of a pipeline. One that runs is asked to; of one that does not the command
// takes the lease and does it itself.

import { askRunning } from '../../control/client.ts';
import { type LettersAnswer, readReport } from '../../control/letter-jobs.ts';
import type { LettersAsk } from '../../control/protocol.ts';
import type { OpenQueues } from '../../dead-letters/open.ts';
import { purgeDeadLetters } from '../../dead-letters/purge.ts';
import { type ReplayReport, replayDeadLetters } from '../../dead-letters/replay.ts';
import type { Outcome } from '../../dead-letters/replay-entries.ts';
import { isCalled, type LetterSelection, selectorOf } from '../../dead-letters/selection.ts';
import type { DeadLetter, EngineDeps, PipelineStatus } from '../../engine/api.ts';
import { laneStore, ParkedKeys } from '../../engine/parked-keys.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import type { Codecs } from '../../engine/places.ts';
import { createLogger } from '../../observability/logging.ts';
import type { Tools } from '../../run.ts';
import { CdcError } from '../../sdk/errors.ts';
import type { Logger } from '../../sdk/logger.ts';
import { systemRandom } from '../../sdk/ports.ts';
import { logLevelOf, usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { outcomeLines } from '../dlq-text.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { plural } from '../format.ts';
import { assertAvailable } from '../load.ts';
import { wantsColor } from '../output.ts';
import type { DlqFlags } from '../program/set-aside.ts';
import { onStopSignal } from '../signals.ts';
import { assertReadable, lettersOf, queuesOf, summaryOf } from './dlq.ts';

export async function purge(cli: Cli, config: PipelineConfig, flags: DlqFlags): Promise<number> {
  const selection = selectionOf(flags, 'purge', config),
    selects = selectorOf(selection);
  await withQueues(cli, config, async (queues) => {
    assertReadable(queues);
    await assertKnown(flags, lettersOf(config, queues), config);
    if (flags.yes) return;
    let count = 0;
    for await (const letter of lettersOf(config, queues)) if (selects(letter)) count += 1;
    throw usageError(`${plural(count, 'letter')} would be removed for good`, 'Keep a copy with `cdc-run dlq export`, then add `--yes`.');
  });
  const answer = await askRunningPipeline(cli, config, { ...selection, action: 'purge', force: false }, NEVER);
  const removed =
    answer === null
      ? await withTools(cli, config, ({ deps, queues }) =>
          purgeDeadLetters({ config, deps, queues, selects, keysOf: (lane) => parkedKeys(deps, lane, {}) }),
        )
      : 'removed' in answer
        ? answer.removed
        : 0;
  if (cli.output.json) cli.output.document({ ok: true, pipeline: config.name, removed });
  else cli.output.print([`removed ${plural(removed, 'letter')} of ${config.name}`]);
  return EXIT.ok;
}

export async function replay(cli: Cli, config: PipelineConfig, flags: DlqFlags): Promise<number> {
  assertAvailable([config]);
  const selection = selectionOf(flags, 'replay', config);
  const stop = new AbortController();
  const unlisten = onStopSignal(process, () => {
    stop.abort();
  });
  try {
    const { force, dryRun } = flags;
    await withQueues(cli, config, async (queues) => {
      assertReadable(queues);
      await assertKnown(flags, lettersOf(config, queues), config);
    });
    // What would be sent can be seen from outside.
    const answer = dryRun ? null : await askRunningPipeline(cli, config, { ...selection, action: 'replay', force }, stop.signal);
    if (answer !== null && 'report' in answer) return conclude(cli, config, readReport(answer.report), dryRun);
    const report = await withTools(cli, config, async ({ deps, queues }) => {
      const keysOf = (lane: string, codecs: Codecs): Promise<ParkedKeys> => parkedKeys(deps, lane, codecs);
      return replayDeadLetters({ config, deps, queues, selects: selectorOf(selection), force, dryRun, signal: stop.signal, keysOf });
    });
    return conclude(cli, config, report, dryRun);
  } finally {
    unlisten();
  }
}

const NEVER = new AbortController().signal;
/** The process answers after 20 s at the latest, done or not. */
const ASK_TIMEOUT_MS = 45_000;
const HOLDING_LEASE: readonly PipelineStatus['state'][] = ['starting', 'running', 'stopping'];

/** `null`: nobody runs it. Asks until it is done; a stop is passed on, and what was done until then is reported. */
async function askRunningPipeline(
  { world }: Cli,
  config: PipelineConfig,
  ask: Omit<LettersAsk, 'token' | 'cancel'>,
  stop: AbortSignal,
): Promise<Extract<LettersAnswer, { done: true }> | null> {
  const { clock } = world;
  const running = await askRunning(config.state.path, config.name, { clock, timeoutMs: ASK_TIMEOUT_MS });
  if (running === null || !HOLDING_LEASE.includes(running.status.state)) return null;
  const token = `${process.pid}-${clock.now()}`;
  for (;;) {
    const cancel = stop.aborted;
    const asking = running.ask({ cmd: 'dlq', pipelines: [config.name], letters: { ...ask, token, cancel } }) as Promise<LettersAnswer>;
    const answer = await (cancel ? asking : Promise.race([asking, whenAborted(stop)]));
    if (answer?.done === true) return answer;
    asking.catch(() => {}); // the next one tells the same
  }
}

function whenAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}

async function withQueues<T>(cli: Cli, config: PipelineConfig, work: (queues: OpenQueues) => Promise<T>): Promise<T> {
  const queues = await queuesOf(cli, config);
  try {
    return await work(queues);
  } finally {
    await queues.close();
  }
}

async function withTools<T>(cli: Cli, config: PipelineConfig, work: (tools: Tools) => Promise<T>): Promise<T> {
  const { openTools } = await import('../../run.ts');
  const tools = await openTools(config, portsOf(cli));
  try {
    return await work(tools);
  } finally {
    await tools.close();
  }
}

/** The keys that a destination holds back, as its lane keeps them. */
async function parkedKeys(deps: EngineDeps, lane: string, codecs: Codecs): Promise<ParkedKeys> {
  const keys = new ParkedKeys(deps.store(laneStore(lane)), codecs);
  await keys.load();
  return keys;
}

function conclude({ output }: Cli, config: PipelineConfig, { letters, untried, error }: ReplayReport, dryRun: boolean): number {
  const byOutcome = new Map<Outcome, ReplayReport['letters'][number][]>();
  for (const one of letters) byOutcome.set(one.outcome, [...(byOutcome.get(one.outcome) ?? []), one]);
  const left = letters.filter(({ outcome }) => !['sent', 'filtered', 'planned'].includes(outcome)).length + untried;
  if (output.json) {
    output.document({
      ok: error === null && left === 0,
      pipeline: config.name,
      dryRun,
      counts: Object.fromEntries([...byOutcome].map(([outcome, list]) => [outcome, list.length])),
      untried,
      letters: letters.map(({ letter, outcome, error: why }) => ({ ...summaryOf(letter), outcome, reason: why?.toJSON() ?? null })),
      ...(error === null ? {} : { error: error.toJSON() }),
    });
  } else {
    const c = output.colors;
    const lines = [...byOutcome].flatMap(([outcome, list]) =>
      outcomeLines(
        outcome,
        list.map(({ letter }) => letter),
        list[0]?.error ?? null,
        c,
      ),
    );
    if (untried > 0) lines.push(`${c.yellow('!')} ${plural(untried, 'letter')} not tried`);
    output.print(lines.length === 0 ? [`No letters of ${config.name} to replay.`] : lines);
    if (error !== null) output.error(error);
  }
  if (error !== null) return exitCodeOf(error.code);
  return left > 0 ? EXIT.check : EXIT.ok;
}

/** Nothing chosen is no choice: it must be said that all are meant. */
function selectionOf(flags: DlqFlags, action: 'purge' | 'replay', { name }: PipelineConfig): LetterSelection {
  const { id, code, before, all } = flags;
  const some = id.length > 0 || code.length > 0 || before !== undefined;
  if (some === all) {
    throw usageError(
      all ? '`--all` chooses every letter, and other options only some' : 'No letters were chosen',
      `Choose them with --id, --code or --before, or all: \`cdc-run dlq ${action} ${name} --all\`.`,
    );
  }
  return { ids: id, codes: code, before: before ?? null };
}

/** An id that fits no letter, or several, was not what was meant. */
async function assertKnown({ id }: DlqFlags, letters: AsyncIterable<DeadLetter>, config: PipelineConfig): Promise<void> {
  if (id.length === 0) return;
  const counts = new Map(id.map((one) => [one, 0]));
  for await (const letter of letters) for (const one of id) if (isCalled(letter, one)) counts.set(one, (counts.get(one) ?? 0) + 1);
  for (const [one, count] of counts) {
    if (count === 1) continue;
    throw new CdcError(
      'DLQ_LETTER_UNKNOWN',
      `${count === 0 ? 'No letter' : 'More than one letter'} of ${config.name} is called ${JSON.stringify(one)}.`,
      {
        fix: `See the ids with \`cdc-run dlq list ${config.name} --all\`.`,
      },
    );
  }
}

function portsOf({ world, options }: Cli) {
  const logger: Logger = createLogger({
    level: logLevelOf(options.logLevel, world.env['LOG_LEVEL'] ?? 'warn'),
    format: world.stderr.isTTY === true ? 'pretty' : 'json',
    clock: world.clock,
    color: wantsColor(world.stderr, world.env),
    write: (line) => {
      world.stderr.write(line);
    },
  });
  return { logger, clock: world.clock, random: systemRandom };
}
