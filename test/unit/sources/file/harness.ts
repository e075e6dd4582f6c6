// A temp folder, a file source over it, and an engine that remembers what it was given.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ChangeBatch,
  type ChangeEvent,
  type Clock,
  forgetfulStore,
  type Logger,
  type Position,
  type ReadContext,
  type Source,
  silentLogger,
} from '../../../../src/sdk/index.ts';
import type { FileSourceConfig } from '../../../../src/sources/file/config.ts';
import { descriptor } from '../../../../src/sources/file/index.ts';
import { filePositions } from '../../../../src/sources/file/position.ts';

export const defaults: FileSourceConfig = {
  path: '',
  format: 'auto',
  table: '{name}',
  key: [],
  encoding: 'utf-8',
  poll_interval: 250,
  max_line_bytes: 1_048_576,
  when_replaced: 'fail',
  csv: { delimiter: ',', quote: '"', header: true, columns: null, null_value: null },
};

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  at(name: string): string;
}

export async function tempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), 'cdc-file-'));
  return { path, at: (name) => join(path, name), [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface Rejected {
  readonly input: string;
  readonly at: string;
  readonly error: string;
}

/** An engine that delivers at once. Positions survive from one `once` or `follow` to the next, like those of a pipeline. */
export class Engine {
  readonly positions = new Map<string, Position>();
  readonly events: ChangeEvent[] = [];
  readonly batches: ChangeBatch[] = [];
  readonly rejected: Rejected[] = [];
  readonly ended: string[] = [];
  readonly warnings: string[] = [];
  /** How long the source has nothing to read before the next action is taken. */
  pauseMs = 3_000;
  readonly #config: FileSourceConfig;
  readonly #bounds: { readonly maxBatchEvents: number; readonly maxBatchBytes: number };

  constructor(config: Partial<FileSourceConfig> & { readonly path: string }, bounds = { maxBatchEvents: 1000, maxBatchBytes: 1 << 20 }) {
    this.#config = { ...defaults, ...config };
    this.#bounds = bounds;
  }

  get rows(): unknown[] {
    return this.events.map((e) => e.after);
  }

  /** A one_time run. `limit`: the process ends after so many batches. `meanwhile`: what happens when its end is known. */
  async once(limit = Number.POSITIVE_INFINITY, meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
    const source = await this.#source({ now: () => 0, sleep: async () => {} });
    const until = { partitions: await source.end(), snapshots: [] };
    await meanwhile();
    await this.#run(source, this.#context(until), new AbortController(), limit);
  }

  /**
   * A continuous run. Each time the source has nothing to read, the clock moves; after `pauseMs` of that the next action is
   * taken, and after the last one the run is stopped.
   */
  async follow(...actions: (() => unknown)[]): Promise<void> {
    await this.followFor(Number.POSITIVE_INFINITY, actions);
  }

  /** Like `follow`, but the process ends after so many batches. Takes what it does from `actions`. */
  async followFor(limit: number, actions: (() => unknown)[]): Promise<void> {
    const abort = new AbortController();
    let now = 0,
      idleMs = 0,
      seen = this.batches.length;
    const clock: Clock = {
      now: () => now,
      sleep: async (ms) => {
        now += ms;
        idleMs = seen === this.batches.length ? idleMs + ms : 0;
        seen = this.batches.length;
        if (idleMs < this.pauseMs) return;
        idleMs = 0;
        const action = actions.shift();
        if (action === undefined) abort.abort();
        else await action();
      },
    };
    await this.#run(await this.#source(clock), this.#context(null), abort, limit);
  }

  async #source(clock: Clock): Promise<Source> {
    const logger: Logger = {
      ...silentLogger,
      warn: (message) => {
        this.warnings.push(message);
      },
    };
    return descriptor.create(this.#config, { pipeline: 'p', name: 'files', logger, clock, random: () => 0, store: forgetfulStore });
  }

  async #run(source: Source, context: ReadContext, abort: AbortController, limit: number): Promise<void> {
    let batches = 0;
    try {
      for await (const batch of source.read(context, abort.signal)) {
        this.#take(batch);
        if (++batches >= limit) break;
      }
    } finally {
      await source.close();
    }
  }

  #take(batch: ChangeBatch): void {
    let last = this.positions.get(batch.partition) ?? ('' as Position);
    for (const event of batch.events) {
      if (last !== '' && filePositions.compare(event.position, last) !== 1) throw new Error(`position ${event.position} after ${last}`);
      last = event.position;
    }
    if (batch.resume === null || batch.resume < last) throw new Error(`resume ${batch.resume} after ${last}`);
    this.positions.set(batch.partition, batch.resume);
    this.events.push(...batch.events);
    this.batches.push(batch);
  }

  #context(until: ReadContext['until']): ReadContext {
    return {
      ...this.#bounds,
      until,
      snapshots: [],
      boundaries: [],
      assign: async (partition) => this.positions.get(partition) ?? null,
      revoke: async () => {},
      end: async (partition) => {
        this.ended.push(partition);
        this.positions.delete(partition);
      },
      reject: async (input, at, error) => {
        this.rejected.push({ input: Buffer.from(input).toString('latin1'), at, error: error.message });
      },
    };
  }
}
