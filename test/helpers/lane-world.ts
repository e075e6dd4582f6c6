// One source, two kinds of destination and a virtual clock, for tests of what a lane does when writes fail or are slow.

import type { EngineDeps, PipelineHandle, RunOptions } from '../../src/engine/api.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import type { DeliveryConfig, DestinationConfig, PipelineConfig } from '../../src/engine/pipeline-config.ts';
import {
  CdcError,
  type ChangeEvent,
  type Descriptor,
  type Destination,
  type LaneBatch,
  type Logger,
  silentLogger,
  type WriteResult,
} from '../../src/sdk/index.ts';
import {
  FakeHoldingDestination,
  FakeLog,
  FakeRowsDestination,
  Faults,
  fakeDestination,
  fakeLogSource,
  HoldingStore,
  insert,
  memoryStore,
  UntrackedStore,
} from '../../src/sdk/testing/index.ts';
import { component, delivery, destination, memoryDeps, pipeline, runOptions } from './pipeline.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Stands between the lane and the store. */
export type Around = (batch: LaneBatch, signal: AbortSignal, write: () => Promise<WriteResult>) => Promise<WriteResult>;

export interface LaneWorldOptions {
  readonly kind?: 'holding' | 'rows';
  /** The source begins with a snapshot. */
  readonly snapshot?: boolean;
  /** Of the destination that holds its point. */
  readonly idempotent?: boolean;
  readonly delivery?: Partial<DeliveryConfig>;
  readonly destination?: Partial<DestinationConfig>;
  readonly pipeline?: Partial<PipelineConfig>;
  readonly descriptors?: readonly Descriptor[];
}

export class LaneWorld {
  readonly log = new FakeLog();
  /** Of the destination that holds its point; the other has its own. */
  readonly faults = new Faults();
  readonly clock = new VirtualClock();
  readonly holding = new HoldingStore(this.faults, { applied: (e) => this.applied.push(e) });
  readonly rows = new UntrackedStore(new Faults(), { applied: (e) => this.applied.push(e) });
  /** In order of arrival. */
  readonly applied: ChangeEvent[] = [];
  /** Sizes of the writes, without what was to be skipped. */
  readonly writes: { readonly atMs: number; readonly events: number }[] = [];
  readonly logged: { readonly level: string; readonly message: string }[] = [];
  around: Around = (_batch, _signal, write) => write();
  readonly deps: ReturnType<typeof memoryDeps>;
  readonly #options: LaneWorldOptions;
  readonly #stores = new Map<string, ReturnType<typeof memoryStore>>();

  constructor(options: LaneWorldOptions = {}) {
    this.#options = options;
    const holding = fakeDestination('holding', () => this.#watched(new FakeHoldingDestination(this.holding)));
    const descriptors = [
      fakeLogSource(this.log, { snapshot: options.snapshot ?? false }),
      { ...holding, capabilities: () => ({ ...holding.capabilities({} as never), idempotent: options.idempotent ?? true }) },
      fakeDestination('rows', () => this.#watched(new FakeRowsDestination(this.rows))),
      ...(options.descriptors ?? []),
    ] as Descriptor[];
    const more: Partial<EngineDeps> = { clock: this.clock, logger: this.#logger(), store: (plugin) => this.#store(plugin) };
    this.deps = memoryDeps(descriptors, more);
  }

  start(more: LaneWorldOptions = {}, options: Partial<RunOptions> = {}): PipelineHandle {
    const o = { ...this.#options, ...more };
    const one = destination(
      `fake_${o.kind ?? 'holding'}`,
      {},
      { delivery: delivery({ ...this.#options.delivery, ...more.delivery }), ...o.destination },
    );
    const config = pipeline({ sources: [component('fake_log')], destinations: [one], ...o.pipeline });
    return startPipeline(config, this.deps, runOptions(options));
  }

  /** A run to its end. */
  run(more: LaneWorldOptions = {}, options: Partial<RunOptions> = {}) {
    return this.clock.until(this.start(more, options).done);
  }

  /** Rows `from` to `to` in transactions of at most 500. */
  fill(from: number, to: number): void {
    for (let id = from; id <= to; id += 500)
      this.log.commit(Array.from({ length: Math.min(500, to - id + 1) }, (_, i) => insert(id + i, `n${id + i}`)));
  }

  get ids(): unknown[] {
    return this.applied.map((e) => (e.after ?? e.before)?.['id']);
  }
  get letters() {
    return [...this.deps.deadLetters.letters.values()];
  }

  #store(plugin: string): ReturnType<typeof memoryStore> {
    const known = this.#stores.get(plugin) ?? memoryStore();
    this.#stores.set(plugin, known);
    return known;
  }

  #watched<D extends Destination>(inner: D): D {
    const write = inner.write.bind(inner);
    inner.write = (batch, signal) => {
      this.writes.push({ atMs: this.clock.now(), events: batch.events.length - batch.skip.size });
      return this.around(batch, signal, () => write(batch, signal));
    };
    return inner;
  }

  #logger(): Logger {
    const level = (name: string) => (message: string) => this.logged.push({ level: name, message });
    const logger = {
      ...silentLogger,
      debug: level('debug'),
      info: level('info'),
      warn: level('warn'),
      error: level('error'),
    } as unknown as Logger;
    return { ...logger, child: () => logger };
  }
}

export const unreachable = (): CdcError => new CdcError('DESTINATION_UNREACHABLE', 'it is away', { retriable: true, fix: 'Start it.' });
export const poisoned = (): CdcError => new CdcError('DESTINATION_EVENT_REJECTED', 'the batch is refused', { fix: 'Look at it.' });
