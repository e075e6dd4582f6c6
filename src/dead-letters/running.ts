// Sends and removes letters while the pipeline runs, in its own process. A destination is worked on between two batches of its
// lane, so nothing is parked or delivered meanwhile: its letters are read then, its keys are those that the lane holds back, and
// they are let go before the lane goes on (invariant 4). Each destination is asked in its turn; the others flow.

import type { DeadLetter, EngineDeps, PipelineHandle } from '../engine/api.ts';
import type { PausedLane } from '../engine/errands.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import { type CdcError, toCdcError } from '../sdk/index.ts';
import type { OpenQueues } from './open.ts';
import { type PurgeRequest, purgeLetters } from './purge.ts';
import type { ReplayReport } from './replay.ts';
import { ReplayChains } from './replay-chain.ts';
import { type Entry, readEntries } from './replay-entries.ts';
import { NOWHERE } from './replay-lane.ts';
import { isOpen, ReplayPass } from './replay-pass.ts';
import type { LaneKeys } from './replay-plan.ts';
import { ReplayTarget } from './replay-target.ts';

export interface RunningRequest {
  readonly config: PipelineConfig;
  readonly deps: EngineDeps;
  readonly queues: OpenQueues;
  readonly pipeline: Pick<PipelineHandle, 'pause'>;
  selects(letter: DeadLetter): boolean;
  readonly signal: AbortSignal;
}

type LetterReport = ReplayReport['letters'][number];

export async function replayRunning(request: RunningRequest & { readonly force: boolean }): Promise<ReplayReport> {
  const chains = new ReplayChains(request.config, request.deps);
  try {
    return await new RunningReplay(request, chains).run();
  } finally {
    await chains.close();
  }
}

class RunningReplay {
  readonly #r: RunningRequest & { readonly force: boolean };
  readonly #chains: ReplayChains;
  /** Letters that are done with, one way or the other. */
  readonly #reports = new Map<string, LetterReport>();

  constructor(request: RunningRequest & { readonly force: boolean }, chains: ReplayChains) {
    this.#r = request;
    this.#chains = chains;
  }

  async run(): Promise<ReplayReport> {
    const { config, pipeline, signal } = this.#r;
    // Only to see where they go: what is sent is read again while its lane waits.
    const entries = await this.#entries(() => true);
    this.#note(new ReplayPass(this.#passOptions(signal), entries).report(null));
    const names = new Set(entries.filter(isOpen).flatMap((e) => e.targets));
    let error: CdcError | null = null;
    for (const { name } of config.destinations) {
      if (!names.has(name) || error !== null || signal.aborted) continue;
      error = await pipeline.pause(name, (lane) => this.#at(lane)).catch((cause: unknown) => toCdcError(cause));
    }
    const untried = entries.filter((e) => e.selected && !this.#reports.has(e.letter.id)).length;
    return { letters: [...this.#reports.values()], untried, error };
  }

  async #at(lane: PausedLane): Promise<CdcError | null> {
    const { name } = lane.options.config,
      signal = AbortSignal.any([this.#r.signal, lane.signal]);
    const entries = await this.#entries((letter) => letter.lane === null || letter.lane === name);
    const pass = new ReplayPass(
      this.#passOptions(signal),
      entries.map((e) => withoutOthers(e, name)),
    );
    let error: CdcError | null = null;
    try {
      await pass.begin();
      await pass.lane(targetOf(lane, signal), keysOf(lane));
    } catch (cause) {
      error = toCdcError(cause);
    }
    this.#note(pass.report(null));
    return error;
  }

  async #entries(isMeant: (letter: DeadLetter) => boolean): Promise<readonly Entry[]> {
    const { config, deps, queues } = this.#r;
    const { lanes } = await deps.state.load(config.name);
    const detached = new Set(Object.keys(lanes).filter((name) => lanes[name]?.detached));
    const selects = (letter: DeadLetter): boolean => isMeant(letter) && !this.#reports.has(letter.id) && this.#r.selects(letter);
    return readEntries({ config, queues, detached, selects });
  }

  #passOptions(signal: AbortSignal) {
    const { config, deps, queues, force } = this.#r;
    return { config, deps, queues, force, signal, chains: this.#chains, writes: true };
  }

  #note({ letters }: ReplayReport): void {
    for (const one of letters) this.#reports.set(one.letter.id, one);
  }
}

/** A letter that this destination has confirmed in its turn is not looked at again here. */
function withoutOthers(entry: Entry, lane: string): Entry {
  return entry.selected && !entry.targets.includes(lane) ? { ...entry, selected: false } : entry;
}

function keysOf({ options: { keys }, saveKeys }: PausedLane): LaneKeys {
  return { blocking: (event) => keys.blocking(event), release: (event) => keys.release(event), save: saveKeys };
}

function targetOf(lane: PausedLane, signal: AbortSignal): ReplayTarget {
  const { config, clock, random, logger, encoder, epoch, holdsPoint, idempotent } = lane.options;
  // A destination without a point may have got more than its cursor says, before this process began.
  const point = holdsPoint ? lane.point : null,
    own = point ?? { ...NOWHERE, epoch };
  return new ReplayTarget({
    name: config.name,
    idempotent,
    maxEvents: config.batch.maxEvents,
    retry: config.delivery.retry,
    ports: { clock, random, logger },
    signal,
    seat: { point, points: { previous: own, through: own }, encoder, send: (batch) => lane.write(batch), stored: () => {} },
  });
}

/** Returns how many were removed. */
export async function purgeRunning(request: RunningRequest & Pick<PurgeRequest, 'keysOf'>): Promise<number> {
  const { config, deps, queues, pipeline, selects } = request;
  const lanes = new Set<string | null>();
  for (const { store } of queues.all)
    for await (const letter of store?.letters() ?? []) if (letter.pipeline === config.name && selects(letter)) lanes.add(letter.lane);
  const state = await deps.state.load(config.name);
  let removed = 0;
  for (const lane of lanes) {
    const only = (keysOf: PurgeRequest['keysOf']): Promise<number> =>
      purgeLetters({
        config,
        queues,
        selects: (letter) => letter.lane === lane && selects(letter),
        ...(keysOf === undefined ? {} : { keysOf }),
      });
    const isRunning = lane !== null && config.destinations.some((d) => d.name === lane) && !state.lanes[lane]?.detached;
    // The keys of a running lane are in its memory; those of another one only in the store.
    if (!isRunning) removed += await only(request.keysOf);
    else removed += await pipeline.pause(lane, (paused) => only(async () => keysOf(paused)));
  }
  return removed;
}
