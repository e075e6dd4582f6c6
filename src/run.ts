// From configurations to running pipelines: opens state, dead letters and the watchdog, and hands everything to the engine.
// The one place where engine, catalog and storage meet.

import { isAbsolute, resolve } from 'node:path';
import { loadDescriptor } from './catalog.ts';
import type { LetterTools } from './control/letter-jobs.ts';
import { type OpenQueues, openQueues } from './dead-letters/open.ts';
import { DEFAULT_RUN_OPTIONS, type EngineDeps, type PipelineHandle, type RunOptions } from './engine/api.ts';
import type { PipelineConfig } from './engine/pipeline-config.ts';
import { start } from './engine/start.ts';
import type { LogStore } from './log/change-log.ts';
import { openState, stateKey } from './open-state.ts';
import { createOwner, isOwnerGone } from './owner.ts';
import { packageVersion } from './package-info.ts';
import {
  type Clock,
  type Descriptor,
  type Logger,
  type Random,
  type RunSummary,
  silentLogger,
  systemClock,
  systemRandom,
} from './sdk/index.ts';
import type { ErrorRecord, StateStore } from './state/store.ts';

export interface RuntimeOptions extends Partial<RunOptions> {
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Adapters and plugins of the calling program, found by their `type` before the built-in ones. */
  readonly descriptors?: readonly Descriptor[];
}

export interface Runtime {
  readonly handles: readonly PipelineHandle[];
  /** Resolves when all pipelines have ended and everything is closed; never rejects. */
  readonly done: Promise<readonly RunSummary[]>;
  stop(): Promise<readonly RunSummary[]>;
  /** Counted errors of a pipeline, from its state. */
  errors(pipeline: string): Promise<readonly ErrorRecord[]>;
  /** What it takes to work on the dead letters of a pipeline that runs here; `null` when it does not. */
  letters(pipeline: string): LetterTools | null;
}

/** Starts all pipelines side by side. Throws only what keeps every one of them from starting: state that cannot be opened. */
export async function openRuntime(configs: readonly PipelineConfig[], options: RuntimeOptions = {}): Promise<Runtime> {
  const shared = new Shared(options);
  try {
    const handles: PipelineHandle[] = [];
    for (const config of configs) handles.push(await start(config, await shared.depsOf(config), runOptionsOf(options)));
    const done = Promise.all(handles.map((h) => h.done)).then(async (summaries) => {
      await shared.close();
      return summaries;
    });
    return {
      handles,
      done,
      stop: async () => {
        await Promise.all(handles.map((h) => h.stop()));
        return done;
      },
      errors: (pipeline) => shared.errors(pipeline),
      letters: (pipeline) => shared.letters(pipeline),
    };
  } catch (error) {
    await shared.close();
    throw error;
  }
}

/** The same as a run has, for a command that works on a pipeline while it does not run. */
export interface Tools {
  readonly deps: EngineDeps;
  readonly queues: OpenQueues;
  close(): Promise<void>;
}

export async function openTools(config: PipelineConfig, options: RuntimeOptions = {}): Promise<Tools> {
  const shared = new Shared(options);
  try {
    const deps = await shared.depsOf(config);
    return { deps, queues: shared.queuesOf(config.name), close: () => shared.close() };
  } catch (error) {
    await shared.close();
    throw error;
  }
}

function runOptionsOf(options: RuntimeOptions): RunOptions {
  const { untilCaughtUp, limit, failFast, rejoin, scheduledMs } = { ...DEFAULT_RUN_OPTIONS, ...options };
  return { untilCaughtUp, limit, failFast, rejoin, scheduledMs };
}

/** What the pipelines of a process share: state by its place, the owner's name, the watchdog. */
class Shared {
  readonly #options: RuntimeOptions;
  readonly #owner = createOwner();
  readonly #states = new Map<string, StateStore>();
  readonly #stateOf = new Map<string, StateStore>();
  readonly #queues = new Map<string, OpenQueues>();
  readonly #deps = new Map<string, EngineDeps>();
  readonly #closing: (() => Promise<void>)[] = [];

  constructor(options: RuntimeOptions) {
    this.#options = options;
  }

  async depsOf(config: PipelineConfig): Promise<EngineDeps> {
    const { logger = silentLogger, clock = systemClock, random = systemRandom } = this.#options;
    const state = await this.#state(config);
    const owner = this.#owner;
    const ports = { clock, random, logger: logger.child({ pipeline: config.name }), version: packageVersion() };
    const resolver = (kind: Descriptor['kind'], type: string): Promise<Descriptor> => this.#resolve(kind, type, config);
    const queues = await openQueues(config, { ...ports, resolve: resolver });
    this.#closing.push(() => queues.close());
    this.#queues.set(config.name, queues);
    const deps: EngineDeps = {
      ...ports,
      owner,
      state,
      isGone: isOwnerGone,
      deadLettersOf: (lane) => queues.of(lane).queue,
      logStore: await this.#logStore(config),
      resolve: resolver,
      store: (plugin) => ({
        get: (key) => state.getPluginValue(config.name, plugin, key),
        set: (key, value) => state.setPluginValue(config.name, owner, plugin, key, value),
      }),
      monitor: await this.#watchdog(config),
    };
    this.#deps.set(config.name, deps);
    return deps;
  }

  queuesOf(pipeline: string): OpenQueues {
    return this.#queues.get(pipeline) as OpenQueues;
  }

  async #state(config: PipelineConfig): Promise<StateStore> {
    const { logger = silentLogger } = this.#options,
      key = stateKey(config.state);
    let state = this.#states.get(key);
    if (state === undefined) {
      state = await openState(config.state, (message) => logger.warn(message));
      this.#states.set(key, state);
    }
    this.#stateOf.set(config.name, state);
    return state;
  }

  async #logStore(config: PipelineConfig): Promise<LogStore | null> {
    if (config.log.type !== 'disk') return null;
    const { logger = silentLogger, clock = systemClock, random = systemRandom } = this.#options;
    const { diskLogStore } = await import('./log/disk/store.ts');
    return diskLogStore({ ...config.log, path: resolve(config.log.path), pipeline: config.name, clock, random, logger });
  }

  async #resolve(kind: Descriptor['kind'], type: string, config: PipelineConfig): Promise<Descriptor> {
    const own = this.#options.descriptors?.find((d) => d.kind === kind && (d.type === type || d.aliases?.includes(type)));
    return own ?? loadDescriptor(kind, type, { baseDir: config.baseDir });
  }

  /** Only where a user's own transformer runs on our thread: it costs a thread. */
  async #watchdog(config: PipelineConfig): Promise<EngineDeps['monitor']> {
    if (!config.transformers.some((t) => isAbsolute(t.type))) return null;
    const { startWatchdog } = await import('./watchdog/watchdog.ts');
    const watchdog = startWatchdog({ limitMs: 30_000, names: config.transformers.map((t) => t.name) });
    this.#closing.push(() => watchdog.stop());
    return watchdog;
  }

  letters(pipeline: string): LetterTools | null {
    const deps = this.#deps.get(pipeline),
      queues = this.#queues.get(pipeline);
    return deps === undefined || queues === undefined ? null : { deps, queues };
  }

  async errors(pipeline: string): Promise<readonly ErrorRecord[]> {
    return (await this.#stateOf.get(pipeline)?.errors(pipeline)) ?? [];
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
    for (const state of this.#states.values()) await state.close();
  }
}
