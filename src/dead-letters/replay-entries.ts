// The letters of a pipeline as a replay sees them: in order over all queues, opened where they are to be sent, and with where
// each has to go. What cannot be sent is said here, before anything is opened.

import type { DeadLetter } from '../engine/api.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import { CdcError, type ChangeEvent, toCdcError } from '../sdk/index.ts';
import type { OpenQueue, OpenQueues } from './open.ts';
import { unprotect } from './protection.ts';

export type Outcome = 'sent' | 'filtered' | 'failed' | 'held' | 'superseded' | 'interrupted' | 'impossible' | 'planned';

/** A letter, and how far it is. */
export interface Entry {
  /** As it was before it was protected, where it is to be sent. */
  readonly letter: DeadLetter;
  readonly queue: OpenQueue;
  readonly selected: boolean;
  /** Destinations that have to get it; those that confirmed it in a replay that was interrupted are left out. */
  readonly targets: readonly string[];
  /** After the pipeline's transformers. */
  events: readonly ChangeEvent[];
  readonly delivered: Set<string>;
  outcome: Outcome | null;
  error: CdcError | null;
}

export interface EntriesRequest {
  readonly config: PipelineConfig;
  readonly queues: OpenQueues;
  /** Destinations that get nothing until somebody decides about their gap. */
  readonly detached: ReadonlySet<string>;
  selects(letter: DeadLetter): boolean;
}

/** All letters of the pipeline that somebody can read. */
export async function readEntries(request: EntriesRequest): Promise<readonly Entry[]> {
  const { config, queues } = request,
    entries: Entry[] = [];
  for (const queue of queues.all)
    if (queue.store !== null)
      for await (const letter of queue.store.letters()) if (letter.pipeline === config.name) entries.push(entryOf(request, queue, letter));
  // Within a queue the order of arrival is the order of the events; between queues there is only the time.
  return queues.all.length === 1 ? entries : entries.sort((a, b) => a.letter.firstMs - b.letter.firstMs);
}

/** The letter after one more try that failed. */
export function again(letter: DeadLetter, error: CdcError, nowMs: number): DeadLetter {
  return { ...letter, error, attempts: 1, lastMs: nowMs, replay: null };
}

function entryOf(request: EntriesRequest, queue: OpenQueue, stored: DeadLetter): Entry {
  const { config, detached } = request,
    selected = request.selects(stored),
    delivered = new Set(stored.replay?.delivered);
  const active = config.destinations.map((d) => d.name).filter((name) => !detached.has(name));
  const lanes = stored.lane === null ? active : [stored.lane];
  const base = { queue, selected, delivered, targets: lanes.filter((name) => !delivered.has(name)) };
  try {
    const letter = unprotect(stored, queue.cipher);
    if (selected) assertReplayable(config, letter, active);
    return { ...base, letter, events: letter.event === null ? [] : [letter.event], outcome: null, error: null };
  } catch (cause) {
    const error = toCdcError(cause, 'DLQ_NOT_REPLAYABLE');
    // Not chosen it is only looked at for its key, as far as that is in clear.
    const events = selected || stored.event === null ? [] : [stored.event];
    return { ...base, letter: stored, events, outcome: selected ? 'impossible' : null, error: selected ? error : null };
  }
}

function assertReplayable(config: PipelineConfig, { stage, lane, component, event }: DeadLetter, active: readonly string[]): void {
  if (stage === 'decode' || event === null) {
    throw impossible(
      'the input could not be decoded, so there is no event to send',
      'Correct it at the source, or the format of the source, so that it is captured again; then purge the letter.',
    );
  }
  if (stage === 'transform') {
    if (config.transformers.some((t) => t.name === component)) return;
    throw impossible(
      `the pipeline has no transformer "${component}" any more`,
      'Give a transformer that name back, so that the event goes on from there, or purge the letter.',
    );
  }
  if (lane !== null && active.includes(lane)) return;
  if (config.destinations.some((d) => d.name === lane))
    throw impossible(
      `destination "${lane ?? ''}" is detached: it lacks events that belong before it and behind it`,
      `Let it join anew with \`--rejoin ${lane ?? ''}\`, then replay or purge the letter.`,
    );
  throw impossible(`the pipeline has no destination "${lane ?? ''}" any more`, 'Give a destination that name back, or purge the letter.');
}

export function impossible(why: string, fix: string): CdcError {
  return new CdcError('DLQ_NOT_REPLAYABLE', `The letter cannot be replayed: ${why}.`, { fix });
}
