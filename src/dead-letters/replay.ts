// Sends dead letters again while the pipeline is stopped: each re-enters at the stage that failed, in the order of its key, and
// leaves the queue only once its destinations have confirmed it. Under the pipeline's lease; destinations are claimed with a new
// epoch, and their points stay where they are.

import type { DeadLetter, EngineDeps } from '../engine/api.ts';
import { Encoders, type OpenSource, openDestination, openMiddleware, openSource } from '../engine/components.ts';
import type { NamedMiddleware } from '../engine/lane-options.ts';
import { LeaseKeeper } from '../engine/lease.ts';
import type { DestinationConfig, PipelineConfig } from '../engine/pipeline-config.ts';
import type { Codecs } from '../engine/places.ts';
import { CdcError, toCdcError } from '../sdk/index.ts';
import type { OpenQueues } from './open.ts';
import { ReplayChains } from './replay-chain.ts';
import { again, type Entry, type Outcome, readEntries } from './replay-entries.ts';
import { ReplayLane } from './replay-lane.ts';
import { type Candidate, judge, type LaneKeys } from './replay-plan.ts';
import { ReplayWriter } from './replay-writer.ts';

export interface ReplayRequest {
  readonly config: PipelineConfig;
  readonly deps: EngineDeps;
  readonly queues: OpenQueues;
  selects(letter: DeadLetter): boolean;
  /** Also what may undo newer events, or was perhaps delivered by a replay that was interrupted. */
  readonly force: boolean;
  /** Only say what would be done. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** Which keys a lane holds back; `null` when it does not say. */
  keysOf?(lane: string, codecs: Codecs): Promise<LaneKeys | null>;
}

export interface ReplayReport {
  /** Of the letters that were chosen, in order. */
  readonly letters: readonly { readonly letter: DeadLetter; readonly outcome: Outcome; readonly error: CdcError | null }[];
  /** Letters that were chosen and that it did not come to. */
  readonly untried: number;
  /** Why it ended before its end. */
  readonly error: CdcError | null;
}

export async function replayDeadLetters(request: ReplayRequest): Promise<ReplayReport> {
  const replay = new Replay(request);
  try {
    return await replay.run();
  } finally {
    await replay.close();
  }
}

/** Takes the lease for as long as `work` runs. Throws `STATE_LOCKED` when a process runs the pipeline. */
export async function underLease<T>(config: PipelineConfig, deps: EngineDeps, work: (lease: LeaseKeeper) => Promise<T>): Promise<T> {
  const { state, clock, owner, logger } = deps;
  const { leaseMs } = config.state;
  const lease = new LeaseKeeper({ pipeline: config.name, owner, state, clock, logger, leaseMs, isGone: (o) => deps.isGone(o) });
  const other = await lease.acquire();
  if (other !== null) {
    throw new CdcError('STATE_LOCKED', `Pipeline "${config.name}" is run by another process (${other}).`, {
      where: 'state',
      fix: 'Stop it first, then repeat the command.',
    });
  }
  const ended = new AbortController();
  // A lease that is lost shows at the next write: see `assertValid`.
  const keeping = lease.keep(ended.signal).catch(() => undefined);
  try {
    return await work(lease);
  } finally {
    ended.abort();
    await keeping;
    await lease.release();
  }
}

class Replay {
  readonly #r: ReplayRequest;
  readonly #chains: ReplayChains;
  readonly #sources: OpenSource[] = [];
  readonly #middleware: NamedMiddleware[] = [];
  readonly #lanes: ReplayLane[] = [];

  constructor(request: ReplayRequest) {
    this.#r = request;
    this.#chains = new ReplayChains(request.config, request.deps);
  }

  async run(): Promise<ReplayReport> {
    const { config, deps, dryRun } = this.#r;
    if (dryRun) return this.#through(await this.#entries(), null);
    return underLease(config, deps, async (lease) => this.#through(await this.#entries(), lease));
  }

  async #entries(): Promise<readonly Entry[]> {
    const { config, deps, queues } = this.#r;
    const { lanes } = await deps.state.load(config.name);
    const detached = new Set(Object.keys(lanes).filter((name) => lanes[name]?.detached));
    return readEntries({ config, queues, detached, selects: (letter) => this.#r.selects(letter) });
  }

  async close(): Promise<void> {
    await this.#chains.close();
    for (const { middleware } of this.#middleware) await middleware.close?.();
    for (const lane of this.#lanes) await lane.close();
    for (const { source } of this.#sources) await source.close();
  }

  async #through(entries: readonly Entry[], lease: LeaseKeeper | null): Promise<ReplayReport> {
    let error: CdcError | null = null;
    try {
      if (lease !== null) for (const entry of entries) await this.#transform(entry);
      const writer = new ReplayWriter(this.#r, entries);
      if (lease !== null) await writer.finish(entries.filter((e) => e.outcome === 'filtered'));
      const names = new Set(entries.filter(isOpen).flatMap((e) => e.targets));
      for (const lane of await this.#openLanes(names, lease)) await this.#lane(lane, entries, writer, lease !== null);
    } catch (cause) {
      error = toCdcError(cause);
    }
    const letters = entries.flatMap(({ selected, letter, outcome, error: why }) =>
      selected && outcome !== null ? [{ letter, outcome, error: why }] : [],
    );
    return { letters, untried: entries.filter(isOpen).length, error };
  }

  /** Letters from before the log go through the transformers first, once for all destinations. */
  async #transform(entry: Entry): Promise<void> {
    const { letter, queue } = entry;
    if (!isOpen(entry) || letter.stage !== 'transform' || letter.event === null) return;
    try {
      const { events, failures } = await this.#chains.pipeline(letter.component, letter.event);
      const [failure] = failures;
      if (failure === undefined) {
        entry.events = events;
        if (events.length === 0) entry.outcome = 'filtered';
        return;
      }
      entry.outcome = 'failed';
      entry.error = failure.error;
      await queue.queue.put([again(letter, failure.error, this.#r.deps.clock.now())]);
    } catch (cause) {
      const error = toCdcError(cause);
      if (error.code !== 'DLQ_NOT_REPLAYABLE') throw error;
      entry.outcome = 'impossible';
      entry.error = error;
    }
  }

  async #lane(lane: ReplayLane, entries: readonly Entry[], writer: ReplayWriter, writes: boolean): Promise<void> {
    const { config, deps, force } = this.#r;
    const destination = config.destinations.find((d) => d.name === lane.name) as DestinationConfig;
    const concerned = entries.filter((e) => e.targets.includes(lane.name) && e.outcome !== 'impossible' && e.outcome !== 'filtered');
    const candidates = new Map<Candidate, Entry>();
    for (const entry of concerned) {
      const events = writes && isOpen(entry) ? await this.#laneEvents(destination, entry) : entry.events;
      candidates.set({ letter: entry.letter, events, selected: isOpen(entry) }, entry);
    }
    const keys = (await this.#r.keysOf?.(lane.name, this.#codecs())) ?? null;
    const verdicts = judge([...candidates.keys()], { keys, point: lane.point, idempotent: lane.idempotent, force });
    const sending: { entry: Entry; candidate: Candidate }[] = [];
    for (const [candidate, verdict] of verdicts) {
      const entry = candidates.get(candidate) as Entry;
      if (verdict !== 'send') this.#refuse(entry, lane.name, verdict);
      else if (writes) sending.push({ entry, candidate });
      else entry.outcome ??= 'planned';
    }
    if (writes) await writer.write(lane, sending, keys, deps.clock);
  }

  /** What the destination's own transformers make of it; for a letter of its writes that has been done. */
  async #laneEvents(destination: DestinationConfig, entry: Entry): Promise<Entry['events']> {
    const { letter } = entry;
    if (letter.stage === 'write') return entry.events;
    const out = [];
    for (const event of entry.events) {
      const { events, failures } = await this.#chains.lane(destination, event);
      const [failure] = failures;
      if (failure !== undefined) {
        entry.outcome = 'failed';
        entry.error = failure.error;
        await entry.queue.queue.put([again(letter, failure.error, this.#r.deps.clock.now())]);
        return entry.events;
      }
      out.push(...events);
    }
    return out;
  }

  #refuse(entry: Entry, lane: string, verdict: 'held' | 'interrupted' | 'superseded'): void {
    const [code, what, fix] = {
      held: ['DLQ_KEY_PARKED', 'an earlier letter of its key stays in the queue', 'Replay the letters of the key together.'],
      interrupted: [
        'DLQ_SUPERSEDED',
        'a replay of it was interrupted, and may have delivered it',
        'Look there; then purge it, or use `--force`.',
      ],
      superseded: [
        'DLQ_SUPERSEDED',
        'newer events of its key may have been delivered, which it would undo',
        'Look there; then purge it, or use `--force`.',
      ],
    }[verdict] as ['DLQ_KEY_PARKED' | 'DLQ_SUPERSEDED', string, string];
    entry.outcome = verdict;
    entry.error = new CdcError(code, `Not sent to "${lane}": ${what}.`, { where: `destination "${lane}"`, fix });
  }

  /** Claimed with one epoch above all that state and destinations know, stored before it is used: like a start. */
  async #openLanes(names: ReadonlySet<string>, lease: LeaseKeeper | null): Promise<readonly ReplayLane[]> {
    const { config, deps, signal } = this.#r;
    if (names.size === 0) return [];
    for (const source of config.sources) this.#sources.push(await openSource(config, source, deps));
    if (lease !== null) for (const plugin of config.middleware) this.#middleware.push(await openMiddleware(config, plugin, deps));
    const encoders = new Encoders(config, this.#sources, deps),
      state = await deps.state.load(config.name);
    for (const destination of config.destinations) {
      if (!names.has(destination.name)) continue;
      const open = await openDestination(config, destination, deps);
      const assertLease = (): void => lease?.assertValid();
      this.#lanes.push(
        new ReplayLane({
          pipeline: config.name,
          open,
          encoders,
          middleware: this.#middleware,
          retry: config.retry,
          deps,
          signal,
          assertLease,
        }),
      );
    }
    for (const lane of this.#lanes) await lane.look();
    if (lease === null) return this.#lanes;
    const epoch = Math.max(state.epoch, ...this.#lanes.map((l) => l.epoch)) + 1;
    const untilMs = lease.extension();
    await deps.state.save(config.name, deps.owner, untilMs, { epoch });
    lease.renewed(untilMs);
    for (const lane of this.#lanes) await lane.claim(epoch);
    return this.#lanes;
  }

  #codecs(): Codecs {
    return Object.fromEntries(this.#sources.filter((s) => s.source.ordering === 'log').map((s) => [s.config.name, s.source.positions]));
  }
}

/** Still to be sent. */
export function isOpen({ selected, outcome }: Entry): boolean {
  return selected && outcome === null;
}
