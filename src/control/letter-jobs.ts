// `dlq` on a control socket: letters are sent again or removed by the process that runs their pipeline, one command at a time per
// pipeline. It goes on when the client is gone; who asks with the same token learns what became of it.

import { formatLetter, parseLetter } from '../dead-letters/letter-codec.ts';
import type { OpenQueues } from '../dead-letters/open.ts';
import type { ReplayReport } from '../dead-letters/replay.ts';
import type { Outcome } from '../dead-letters/replay-entries.ts';
import { selectorOf } from '../dead-letters/selection.ts';
import type { EngineDeps, PipelineHandle } from '../engine/api.ts';
import { laneStore, ParkedKeys } from '../engine/parked-keys.ts';
import type { ErrorCode } from '../sdk/error-codes.ts';
import { CdcError } from '../sdk/errors.ts';
import type { LettersAsk } from './protocol.ts';

export interface LetterTools {
  readonly deps: EngineDeps;
  readonly queues: OpenQueues;
}

/** `report` for a replay, `removed` for a purge. */
export type LettersAnswer =
  | { readonly done: false }
  | { readonly done: true; readonly report: WireReport }
  | { readonly done: true; readonly removed: number };

type WireError = ReturnType<CdcError['toJSON']>;

interface WireReport {
  /** A letter is a line as queues write it: without its rows, but for the first of each outcome. */
  readonly letters: readonly { readonly letter: string; readonly outcome: Outcome; readonly error: WireError | null }[];
  readonly untried: number;
  readonly error: WireError | null;
}

/** Below the time after which a connection that is quiet is closed. */
const ANSWER_WITHIN_MS = 20_000;

interface Job {
  readonly token: string;
  readonly stop: AbortController;
  readonly done: Promise<LettersAnswer>;
  isOver: boolean;
}

export class LetterJobs {
  readonly #jobs = new Map<string, Job>();

  async ask(handle: PipelineHandle, tools: LetterTools, ask: LettersAsk): Promise<LettersAnswer> {
    let job = this.#jobs.get(handle.name);
    if (job?.token !== ask.token) {
      if (job !== undefined && !job.isOver) throw atWork(handle.name);
      job = begin(handle, tools, ask);
      this.#jobs.set(handle.name, job);
    }
    if (ask.cancel) job.stop.abort();
    const answered = new AbortController();
    try {
      const late = tools.deps.clock.sleep(ANSWER_WITHIN_MS, answered.signal).then((): LettersAnswer => ({ done: false }));
      return await Promise.race([job.done, late]);
    } finally {
      answered.abort();
    }
  }
}

function begin(pipeline: PipelineHandle, { deps, queues }: LetterTools, ask: LettersAsk): Job {
  const stop = new AbortController(),
    { signal } = stop;
  const request = { config: pipeline.config, deps, queues, pipeline, selects: selectorOf(ask), signal };
  const work = async (): Promise<LettersAnswer> => {
    const { purgeRunning, replayRunning } = await import('../dead-letters/running.ts');
    if (ask.action === 'replay') return { done: true, report: wireReport(await replayRunning({ ...request, force: ask.force })) };
    const keysOf = async (lane: string): Promise<ParkedKeys> => {
      const keys = new ParkedKeys(deps.store(laneStore(lane)), {});
      await keys.load();
      return keys;
    };
    return { done: true, removed: await purgeRunning({ ...request, keysOf }) };
  };
  const done = work();
  const job: Job = { token: ask.token, stop, done, isOver: false };
  done
    .catch(() => {}) // who asks gets it
    .finally(() => {
      job.isOver = true;
    });
  return job;
}

function atWork(pipeline: string): CdcError {
  return new CdcError('DLQ_BUSY', `Another command works on the dead letters of "${pipeline}".`, {
    where: `pipeline "${pipeline}"`,
    fix: 'Wait for its end, then repeat the command.',
    retriable: true,
  });
}

function wireReport({ letters, untried, error }: ReplayReport): WireReport {
  const shown = new Set<Outcome>();
  return {
    letters: letters.map(({ letter, outcome, error: why }) => {
      const isExample = !shown.has(outcome);
      shown.add(outcome);
      const { sensitive: _, ...rest } = letter;
      return { letter: formatLetter(isExample ? rest : { ...rest, event: null, input: null }), outcome, error: why?.toJSON() ?? null };
    }),
    untried,
    error: error?.toJSON() ?? null,
  };
}

/** At the client. */
export function readReport({ letters, untried, error }: WireReport): ReplayReport {
  return {
    letters: letters.map(({ letter, outcome, error: why }) => ({ letter: parseLetter(letter), outcome, error: readError(why) })),
    untried,
    error: readError(error),
  };
}

function readError(error: WireError | null): CdcError | null {
  if (error === null) return null;
  const { code, message, where, fix, retriable } = error;
  return new CdcError(code as ErrorCode, message, { retriable, ...(where === null ? {} : { where }), ...(fix === null ? {} : { fix }) });
}
