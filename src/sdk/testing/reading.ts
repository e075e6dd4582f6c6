// What a suite needs to play the engine's part towards a source: a read context that records, and readers that collect
// events until enough have come.

import {
  type ChangeBatch,
  type ChangeEvent,
  type PartitionPositions,
  type PluginStore,
  type Position,
  type ReadContext,
  type SnapshotProgress,
  type Source,
  type SourceContext,
  silentLogger,
  systemClock,
  systemRandom,
} from '../index.ts';
import { memoryStore } from './memory-store.ts';

/** How long a suite waits for what must come, in turns of its own. Generous: a loaded machine is not a failure. */
export const PATIENCE_MS = 10_000;
/** Time is counted by turns of this length: what a busy machine keeps from this process is not counted. */
const TURN_MS = 10;

export function testContext(name: string, store: PluginStore = memoryStore()): SourceContext {
  return { pipeline: 'contract', name, logger: silentLogger, clock: systemClock, random: systemRandom, store };
}

/** Where to begin and how much at once. */
export interface ReadFrom {
  readonly partitions?: PartitionPositions;
  readonly snapshots?: readonly SnapshotProgress[];
  readonly boundaries?: readonly SnapshotProgress[];
  readonly until?: PartitionPositions | null;
  readonly maxBatchEvents?: number;
}

/** Everything a source handed over. */
export interface Reading {
  readonly batches: ChangeBatch[];
  readonly events: ChangeEvent[];
  readonly rejected: { readonly input: string | Uint8Array; readonly at: string; readonly error: Error }[];
  readonly ended: string[];
  readonly revoked: string[];
}

/** Where a reader stands after these batches. */
export function positionsAfter(batches: readonly ChangeBatch[], from: PartitionPositions = {}): { [partition: string]: Position } {
  const positions = { ...from };
  for (const { partition, resume } of batches) if (resume !== null) positions[partition] = resume;
  return positions;
}

/** The newest progress of each table after these batches. */
export function progressAfter(batches: readonly ChangeBatch[], from: readonly SnapshotProgress[] = []): SnapshotProgress[] {
  const progress = new Map(from.map((s) => [s.table, s]));
  for (const s of batches.flatMap((b) => b.snapshots ?? [])) progress.set(s.table, s);
  return [...progress.values()];
}

function contextOf(from: ReadFrom, reading: Reading): ReadContext {
  return {
    maxBatchEvents: from.maxBatchEvents ?? 100,
    maxBatchBytes: 1 << 20,
    until: from.until ? { partitions: from.until, snapshots: [] } : null,
    snapshots: from.snapshots ?? [],
    boundaries: from.boundaries ?? [],
    assign: async (partition) => from.partitions?.[partition] ?? null,
    revoke: async (partition) => {
      reading.revoked.push(partition);
    },
    end: async (partition) => {
      reading.ended.push(partition);
    },
    reject: async (input, at, error) => {
      reading.rejected.push({ input, at, error });
    },
  };
}

/** A reader that is not stopped yet: `upTo` collects more, `stop` aborts and waits for its end. */
export class Reader {
  readonly reading: Reading = { batches: [], events: [], rejected: [], ended: [], revoked: [] };
  readonly #abort = new AbortController();
  readonly #batches: AsyncIterator<ChangeBatch>;
  #pending: Promise<IteratorResult<ChangeBatch>> | null = null;

  constructor(source: Source, from: ReadFrom = {}) {
    this.#batches = source.read(contextOf(from, this.reading), this.#abort.signal)[Symbol.asyncIterator]();
  }

  /** The next batch; `null` when reading has ended. Throws when none comes for too long. */
  async next(what = 'a batch'): Promise<ChangeBatch | null> {
    this.#pending ??= this.#batches.next();
    const result = await within(this.#pending, `${what} did not come; ${this.reading.events.length} events so far`);
    this.#pending = null;
    if (result.done === true) return null;
    this.reading.batches.push(result.value);
    this.reading.events.push(...result.value.events);
    return result.value;
  }

  /** Collects until `enough` says so or reading ends by itself. */
  async until(enough: (reading: Reading) => boolean, what: string): Promise<Reading> {
    while (!enough(this.reading)) if ((await this.next(what)) === null) break;
    return this.reading;
  }

  events(count: number): Promise<Reading> {
    return this.until((r) => r.events.length >= count, `event ${count}`);
  }
  toEnd(): Promise<Reading> {
    return this.until(() => false, 'the end');
  }

  /** Aborts; resolves with the milliseconds until reading had ended, as `timeOf` counts them. */
  async stop(): Promise<number> {
    this.#abort.abort();
    const drain = async (): Promise<void> => {
      if (this.#pending !== null && (await this.#pending).done !== true) this.#pending = null;
      while ((await this.#batches.next()).done !== true);
    };
    return timeOf(within(drain(), 'reading did not end after the abort'));
  }
}

/** Waits for something, but not for ever. */
export async function within<T>(promise: Promise<T>, complaint: string, ms = PATIENCE_MS): Promise<T> {
  const done = new AbortController();
  const impatience = async (): Promise<T> => {
    for (let waited = 0; waited < ms && !done.signal.aborted; waited += TURN_MS) await systemClock.sleep(TURN_MS, done.signal);
    if (!done.signal.aborted) throw new Error(complaint);
    return promise;
  };
  try {
    return await Promise.race([promise, impatience()]);
  } finally {
    done.abort();
  }
}

/** How many milliseconds something took, counted in turns of this process: for limits that hold on a busy machine, too. */
export async function timeOf(promise: Promise<unknown>): Promise<number> {
  const done = new AbortController();
  let ms = 0;
  const counting = (async () => {
    for (;;) {
      await systemClock.sleep(TURN_MS, done.signal);
      if (done.signal.aborted) return;
      ms += TURN_MS;
    }
  })();
  try {
    await promise;
  } finally {
    done.abort();
    await counting;
  }
  return ms;
}

/** Reads `count` events from a place, then stops. */
export async function readEvents(source: Source, count: number, from: ReadFrom = {}): Promise<Reading> {
  const reader = new Reader(source, from);
  const reading = await reader.events(count);
  await reader.stop();
  return reading;
}

export async function readToEnd(source: Source, from: ReadFrom = {}): Promise<Reading> {
  return new Reader(source, { ...from, until: from.until ?? (await source.end()) }).toEnd();
}
