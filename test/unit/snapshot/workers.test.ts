import { expect, it } from 'vitest';
import { CdcError, type Clock, type SnapshotProgress, silentLogger } from '../../../src/sdk/index.ts';
import { SnapshotEngine } from '../../../src/snapshot/engine.ts';
import { SnapshotFailures } from '../../../src/snapshot/failures.ts';
import { chunkRows } from '../../../src/snapshot/rows.ts';
import { runSnapshotJobs, type SnapshotPorts } from '../../../src/snapshot/workers.ts';
import { parseXidSnapshot, type XidSnapshot, xidVisibility } from '../../../src/sources/postgresql/xids.ts';

const ONE = chunkRows([{ key: '1', place: '["1"]', row: 'one', bytes: 3 }]);
const lost = new CdcError('SOURCE_UNREACHABLE', 'connection lost', { retriable: true });

/** Runs until all tables are done. Returns what went out, the waits, and the errors. */
async function play(ports: Partial<SnapshotPorts<string, XidSnapshot, number>>, policy: 'pause' | 'skip' | 'stop' = 'skip') {
  const abort = new AbortController(),
    waits: number[] = [],
    errors: string[] = [],
    rows: string[] = [],
    progress: SnapshotProgress[] = [];
  const clock: Clock = {
    now: () => 0,
    sleep: async (ms) => {
      waits.push(ms);
    },
  };
  const engine = new SnapshotEngine<string, number, XidSnapshot, number>({
    source: 'db',
    tables: [{ name: 'a', keyed: true, orderedByIdentity: true }],
    resume: [],
    boundaries: [],
    at: 1n,
    repeatsUntil: 0n,
    visibility: xidVisibility,
    merge: (row) => row,
    random: () => 0.5,
  });
  const all: SnapshotPorts<string, XidSnapshot, number> = {
    readBound: async () => 50,
    splitKeys: async () => [],
    read: async () => ({
      seen: parseXidSnapshot('60:60:'),
      fingerprint: 'f',
      h: 0n,
      rows: ONE,
      bytes: 3,
      end: true,
    }),
    openPass: async () => {},
    ...ports,
  };
  const failures = new SnapshotFailures(policy, silentLogger);
  const judge: SnapshotFailures['judge'] = (job, cause) => {
    const judged = failures.judge(job, cause);
    errors.push(judged.error.message);
    return judged;
  };
  const options = { count: 2, clock, judge };
  const jobs = runSnapshotJobs(engine, all, options, abort.signal);
  const isOver = (): boolean => engine.isDone || failures.fatal !== null || engine.status()[0]?.state === 'paused';
  while (!isOver()) {
    for (let due = engine.due(); due?.kind === 'output'; due = engine.due()) {
      rows.push(...due.rows);
      progress.push(...due.progress);
    }
    if (!isOver()) await engine.changed.wait(abort.signal);
  }
  abort.abort();
  await jobs;
  const { fatal } = failures;
  return { waits, errors, rows, state: engine.status()[0]?.state, fatal: fatal?.message ?? null, why: failures.errorOf('a') };
}

it('asks for the bound, the cuts and the rows', async () => {
  expect(await play({})).toEqual({ waits: [], errors: [], rows: ['one'], state: 'done', fatal: null, why: null });
});

it('waits longer each time a snapshot misses what was streamed', async () => {
  let tries = 0;
  const { waits, rows } = await play({
    read: async (_job, accepts) => {
      const seen = parseXidSnapshot(++tries < 4 ? '40:60:40' : '60:60:');
      if (!accepts(seen)) return null;
      return { seen, fingerprint: 'f', h: 0n, rows: ONE, bytes: 3, end: true };
    },
  });
  expect({ waits, rows }).toEqual({ waits: [20, 40, 80], rows: ['one'] });
});

it('tries again after a retriable error', async () => {
  let tries = 0;
  const { errors, rows } = await play({
    splitKeys: async () => {
      if (++tries === 1) throw lost;
      return [];
    },
  });
  expect({ errors, rows }).toEqual({ errors: ['connection lost'], rows: ['one'] });
});

it.each([
  ['gives the table up', 'skip', { state: 'failed', fatal: null, why: null }],
  ['leaves the table waiting', 'pause', { state: 'paused', fatal: null, why: 'permission denied' }],
  ['says that the reading must end', 'stop', { state: 'paused', fatal: 'permission denied', why: 'permission denied' }],
] as const)('%s on any other error, if that is wanted', async (_, policy, expected) => {
  const played = await play({ read: () => Promise.reject(new Error('permission denied')) }, policy);
  expect(played).toMatchObject({ errors: ['permission denied'], rows: [], ...expected });
});

it('says that the reading must end when the bound cannot be read for good', async () => {
  const { fatal } = await play({ readBound: () => Promise.reject(new Error('no such function')) });
  expect(fatal).toBe('no such function');
});
