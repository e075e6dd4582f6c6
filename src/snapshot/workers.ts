// Runs the engine's jobs: a few at a time, each on a connection of the source's. Waits and retries are here, so that the engine
// has no time in it.

import { type Clock, toCdcError } from '../sdk/index.ts';
import type { SnapshotEngine } from './engine.ts';
import type { BoundJob, ChunkRead, KeysJob, PassJob, RangeJob, SnapshotJob, SplitJob } from './types.ts';

/**
 * What asks the database. An error that is `retriable` is tried again; any other fails the table. A call returns soon after
 * `signal` aborts, with an error or not.
 */
export interface SnapshotPorts<Row, Seen, Bound> {
  readBound(job: BoundJob, signal: AbortSignal): Promise<Bound>;
  splitKeys(job: SplitJob, signal: AbortSignal): Promise<readonly string[]>;
  /** `accepts`: ask once S is known. If it says no, roll back and return `null`: the rows would not count. */
  readRange(job: RangeJob, accepts: (seen: Seen) => boolean, signal: AbortSignal): Promise<ChunkRead<Row, Seen> | null>;
  readKeys(job: KeysJob, accepts: (seen: Seen) => boolean, signal: AbortSignal): Promise<ChunkRead<Row, Seen> | null>;
  /**
   * Opens the transaction of a pass, asks `onOpened`, keeps it open if that says yes, and resolves then. The source reads its
   * rows when the engine says that the pass is due.
   */
  openPass(job: PassJob, onOpened: (opened: { readonly seen: Seen; readonly h: bigint }) => boolean, signal: AbortSignal): Promise<void>;
}

export interface WorkersOptions {
  readonly count: number;
  readonly clock: Clock;
  /** A job has failed, or will be tried again: for the log. */
  onError(job: SnapshotJob, error: Error): void;
}

/** Transactions that a snapshot must see end after milliseconds, mostly; some run for minutes. */
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 2_000;

/** Resolves when `signal` aborts. Rejects when the bound cannot be read for good: then no snapshot of this source can go on. */
export async function runSnapshotJobs<Row, Id, Seen, Bound>(
  engine: SnapshotEngine<Row, Id, Seen, Bound>,
  ports: SnapshotPorts<Row, Seen, Bound>,
  options: WorkersOptions,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController(),
    all = AbortSignal.any([signal, stop.signal]);
  const worker = async (): Promise<void> => {
    while (!all.aborted) {
      const job = engine.nextJob();
      if (job === null) await engine.changed.wait(all);
      else await runJob(engine, ports, options, job, all);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.count }, worker));
  } finally {
    stop.abort();
  }
}

async function runJob<Row, Id, Seen, Bound>(
  engine: SnapshotEngine<Row, Id, Seen, Bound>,
  ports: SnapshotPorts<Row, Seen, Bound>,
  { clock, onError }: WorkersOptions,
  job: SnapshotJob,
  signal: AbortSignal,
): Promise<void> {
  if (job.attempt > 0) await clock.sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(job.attempt - 1, 20)), signal);
  if (signal.aborted) return;
  try {
    await askFor(engine, ports, job, signal);
  } catch (cause) {
    if (signal.aborted) return;
    const error = toCdcError(cause);
    onError(job, error);
    if (error.retriable) engine.onLost(job);
    else if (job.kind === 'bound') throw error;
    else engine.onFailed(job, error);
  }
}

async function askFor<Row, Id, Seen, Bound>(
  engine: SnapshotEngine<Row, Id, Seen, Bound>,
  ports: SnapshotPorts<Row, Seen, Bound>,
  job: SnapshotJob,
  signal: AbortSignal,
): Promise<void> {
  if (job.kind === 'bound') engine.onBound(job, await ports.readBound(job, signal));
  else if (job.kind === 'split') engine.onSplit(job, await ports.splitKeys(job, signal));
  else if (job.kind === 'pass') await ports.openPass(job, (opened) => engine.onOpened(job, opened), signal);
  else {
    const accepts = (seen: Seen): boolean => engine.accepts(job, seen);
    const read = job.kind === 'range' ? await ports.readRange(job, accepts, signal) : await ports.readKeys(job, accepts, signal);
    if (read === null) engine.onLost(job);
    else engine.onRead(job, read);
  }
}
