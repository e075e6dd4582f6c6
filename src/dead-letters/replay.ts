// Sends dead letters again while the pipeline is stopped: each re-enters at the stage that failed, in the order of its key, and
// leaves the queue only once its destinations have confirmed it. Under the pipeline's lease; destinations are claimed with a new
// epoch, and their points stay where they are.

import type { DeadLetter, EngineDeps } from '../engine/api.ts';
import { Encoders, type OpenSource, openDestination, openMiddleware, openSource } from '../engine/components.ts';
import type { NamedMiddleware } from '../engine/lane-options.ts';
import { LeaseKeeper } from '../engine/lease.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import type { Codecs } from '../engine/places.ts';
import { CdcError, toCdcError } from '../sdk/index.ts';
import type { OpenQueues } from './open.ts';
import { ReplayChains } from './replay-chain.ts';
import { type Entry, type Outcome, readEntries } from './replay-entries.ts';
import { ReplayLane } from './replay-lane.ts';
import { isOpen, ReplayPass } from './replay-pass.ts';
import type { LaneKeys } from './replay-plan.ts';

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
    const pass = new ReplayPass({ ...this.#r, chains: this.#chains, writes: lease !== null }, entries);
    let error: CdcError | null = null;
    try {
      await pass.begin();
      const names = new Set(entries.filter(isOpen).flatMap((e) => e.targets));
      for (const { target } of await this.#openLanes(names, lease))
        await pass.lane(target, (await this.#r.keysOf?.(target.name, this.#codecs())) ?? null);
    } catch (cause) {
      error = toCdcError(cause);
    }
    return pass.report(error);
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
