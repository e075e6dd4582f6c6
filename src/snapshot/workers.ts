// Runs the engine's jobs: a few at a time, each on a connection of the source's. Waits and retries are here, so that the engine
// has no time in it.

import type { Clock } from '../sdk/index.ts';
import type { SnapshotEngine } from './engine.ts';
import type { ChunkRead, PassJob, ReadJob, SnapshotJob, SplitJob } from './types.ts';

/** What asks the database. A call returns soon after `signal` aborts, with an error or not. */
export interface SnapshotPorts<Row, Seen, Bound> {
  readBound(signal: AbortSignal): Promise<Bound>;
  splitKeys(job: SplitJob, signal: AbortSignal): Promise<readonly string[]>;
  /** `accepts`: ask once S is known. If it says no, roll back and return `null`: the rows would not count. */
  read(job: ReadJob, accepts: (seen: Seen) => boolean, signal: AbortSignal): Promise<ChunkRead<Row, Seen> | null>;
  /**
   * Opens the transaction of a pass, asks `onOpened`, keeps it open if that says yes, and resolves when it has ended. The source
   * reads its rows when the engine says that the pass is due.
   */
  openPass(job: PassJob, onOpened: (opened: { readonly seen: Seen; readonly h: bigint }) => boolean, signal: AbortSignal): Promise<void>;
}

/** What becomes of a job that failed: tried again, its tables left waiting for an operator, or given up. */
export type Verdict = 'again' | 'pause' | 'fail';

export interface WorkersOptions {
  readonly count: number;
  readonly clock: Clock;
  judge(job: SnapshotJob, cause: unknown): { readonly verdict: Verdict; readonly error: Error };
}

/** Transactions that a snapshot must see end after milliseconds, mostly; some run for minutes. */
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 5_000;

/** Resolves when `signal` aborts. */
export async function runSnapshotJobs<Row, Id, Seen, Bound>(
  engine: SnapshotEngine<Row, Id, Seen, Bound>,
  ports: SnapshotPorts<Row, Seen, Bound>,
  options: WorkersOptions,
  signal: AbortSignal,
): Promise<void> {
  const worker = async (): Promise<void> => {
    while (!signal.aborted) {
      const job = engine.nextJob();
      if (job === null) await engine.changed.wait(signal);
      else await runJob(engine, ports, options, job, signal);
    }
  };
  await Promise.all(Array.from({ length: options.count }, worker));
}

async function runJob<Row, Id, Seen, Bound>(
  engine: SnapshotEngine<Row, Id, Seen, Bound>,
  ports: SnapshotPorts<Row, Seen, Bound>,
  { clock, judge }: WorkersOptions,
  job: SnapshotJob,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (job.attempt > 0) await clock.sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(job.attempt - 1, 20)), signal);
    if (!signal.aborted) await askFor(engine, ports, job, signal);
  } catch (cause) {
    if (signal.aborted) return;
    const { verdict, error } = judge(job, cause);
    settleFailed(engine, job, verdict, error);
  }
}

/** The job came to nothing. */
export function settleFailed<Row, Id, Seen, Bound>(
  engine: SnapshotEngine<Row, Id, Seen, Bound>,
  job: SnapshotJob,
  verdict: Verdict,
  error: Error,
): void {
  if (verdict === 'fail' && job.kind !== 'bound') {
    engine.onFailed(job, error);
    return;
  }
  if (verdict === 'pause') for (const table of tablesOf(job)) engine.pause(table);
  engine.onLost(job);
}

/** None for a job that is for all of them. */
export function tablesOf(job: SnapshotJob): readonly string[] {
  if (job.kind === 'bound') return [];
  return job.kind === 'pass' ? job.tables.map((t) => t.name) : [job.table];
}

async function askFor<Row, Id, Seen, Bound>(
  engine: SnapshotEngine<Row, Id, Seen, Bound>,
  ports: SnapshotPorts<Row, Seen, Bound>,
  job: SnapshotJob,
  signal: AbortSignal,
): Promise<void> {
  if (job.kind === 'bound') engine.onBound(job, await ports.readBound(signal));
  else if (job.kind === 'split') engine.onSplit(job, await ports.splitKeys(job, signal));
  else if (job.kind === 'pass') await ports.openPass(job, (opened) => engine.onOpened(job, opened), signal);
  else {
    const read = await ports.read(job, (seen) => engine.accepts(job, seen), signal);
    if (read === null) engine.onLost(job);
    else engine.onRead(job, read);
  }
}
