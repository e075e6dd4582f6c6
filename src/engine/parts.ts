// What a run is made of: opened at its start, one after the other, and closed at its end, as much of it as there is by then.

import type { ChangeLog } from '../log/change-log.ts';
import type { EngineDeps } from './api.ts';
import type { Checkpointer } from './checkpointer.ts';
import {
  Hooks,
  type OpenDestination,
  type OpenSource,
  openDestination,
  openMiddleware,
  openSource,
  openTransformer,
} from './components.ts';
import { withTimeout } from './guard.ts';
import type { NamedMiddleware } from './lane-options.ts';
import type { LaneTransform } from './lane-transform.ts';
import type { LogSpine } from './log-spine.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import type { Codecs } from './places.ts';
import type { SourceReader } from './source-reader.ts';
import { TransformChain } from './transform-chain.ts';

const CLOSE_TIMEOUT_MS = 5000;

/** What there is once the pipeline runs. */
export interface Flowing {
  readonly log: ChangeLog;
  readonly spine: LogSpine;
  readonly checkpointer: Checkpointer;
}

export class Parts {
  readonly #config: PipelineConfig;
  readonly #deps: EngineDeps;
  hooks: Hooks | null = null;
  chain: TransformChain;
  readonly middleware: NamedMiddleware[] = [];
  readonly sources: OpenSource[] = [];
  readonly destinations: OpenDestination[] = [];
  readonly laneTransforms: LaneTransform[] = [];
  /** Of the log sources. */
  codecs: Codecs = {};
  /** Names of the queue sources. */
  queues: ReadonlySet<string> = new Set();
  /** Once it is found on disk, or it is known where everything resumes. */
  log: ChangeLog | null = null;
  flowing: Flowing | null = null;
  readonly readers: SourceReader[] = [];

  constructor(config: PipelineConfig, deps: EngineDeps) {
    this.#config = config;
    this.#deps = deps;
    this.chain = new TransformChain([], deps.clock, null);
  }

  async openPlugins(): Promise<Hooks> {
    const config = this.#config,
      deps = this.#deps;
    const hooks = await Hooks.open(config, deps);
    this.hooks = hooks;
    const steps = [];
    for (const plugin of config.transformers) steps.push(await openTransformer(config, plugin, deps));
    this.chain = new TransformChain(steps, deps.clock, deps.monitor);
    for (const plugin of config.middleware) this.middleware.push(await openMiddleware(config, plugin, deps));
    return hooks;
  }

  async openAdapters(): Promise<void> {
    const config = this.#config,
      deps = this.#deps;
    for (const destination of config.destinations) this.destinations.push(await openDestination(config, destination, deps));
    for (const source of config.sources) this.sources.push(await openSource(config, source, deps));
    const ofOrdering = (ordering: 'log' | 'queue'): OpenSource[] => this.sources.filter((s) => s.source.ordering === ordering);
    this.codecs = Object.fromEntries(ofOrdering('log').map((s) => [s.config.name, s.source.positions]));
    this.queues = new Set(ofOrdering('queue').map((s) => s.config.name));
  }

  /** Events read so far, of all sources. */
  get eventsRead(): number {
    return this.readers.reduce((n, r) => n + r.read, 0);
  }

  /** What to close, in this order. Not the hooks: they are told of the end when all this is closed. */
  closing(): (() => Promise<void> | undefined)[] {
    return [
      ...this.sources.map(
        ({ source }) =>
          () =>
            this.#soon(source.close()),
      ),
      ...this.destinations.map(
        ({ destination }) =>
          () =>
            this.#soon(destination.close()),
      ),
      () => this.log?.close(),
      () => this.chain.close(),
      ...this.laneTransforms.map((transform) => () => transform.close()),
      ...this.middleware.map(
        ({ middleware }) =>
          () =>
            middleware.close?.(),
      ),
    ];
  }

  /** A connection that hangs must not keep the process. */
  #soon(closing: Promise<void>): Promise<void> {
    return withTimeout(this.#deps.clock, this.#config.name, CLOSE_TIMEOUT_MS, closing);
  }
}
