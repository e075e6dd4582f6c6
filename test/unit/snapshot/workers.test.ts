import { expect, it } from 'vitest';
import { CdcError, type Clock, type SnapshotProgress } from '../../../src/sdk/index.ts';
import { SnapshotEngine } from '../../../src/snapshot/engine.ts';
import { chunkRows } from '../../../src/snapshot/rows.ts';
import { runSnapshotJobs, type SnapshotPorts } from '../../../src/snapshot/workers.ts';
import { parseXidSnapshot, type XidSnapshot, xidVisibility } from '../../../src/snapshot/xids.ts';

const ONE = chunkRows([{ key: '1', place: '["1"]', row: 'one', bytes: 3 }]);
const lost = new CdcError('SOURCE_UNREACHABLE', 'connection lost', { retriable: true });

/** Runs until all tables are done. Returns what went out, the waits, and the errors. */
async function play(ports: Partial<SnapshotPorts<string, XidSnapshot, number>>) {
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
    readRange: async () => ({
      seen: parseXidSnapshot('60:60:'),
      fingerprint: 'f',
      h: 0n,
      rows: ONE,
      bytes: 3,
      end: true,
    }),
    readKeys: async () => null,
    openPass: async () => {},
    ...ports,
  };
  const options = { count: 2, clock, onError: (_job: unknown, error: Error) => errors.push(error.message) };
  const jobs = runSnapshotJobs(engine, all, options, abort.signal);
  const drain = async (): Promise<void> => {
    while (!engine.isDone && !abort.signal.aborted) {
      for (let due = engine.due(); due?.kind === 'output'; due = engine.due()) {
        rows.push(...due.rows);
        progress.push(...due.progress);
      }
      if (!engine.isDone) await engine.changed.wait(abort.signal);
    }
  };
  try {
    await Promise.race([drain(), jobs]);
  } finally {
    abort.abort();
  }
  await jobs;
  return { waits, errors, rows, state: engine.status()[0]?.state };
}

it('asks for the bound, the cuts and the rows', async () => {
  expect(await play({})).toEqual({ waits: [], errors: [], rows: ['one'], state: 'done' });
});

it('waits longer each time a snapshot misses what was streamed', async () => {
  let tries = 0;
  const { waits, rows } = await play({
    readRange: async (_job, accepts) => {
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

it('fails the table on any other error', async () => {
  const { errors, state } = await play({ readRange: () => Promise.reject(new Error('permission denied')) });
  expect({ errors, state }).toEqual({ errors: ['permission denied'], state: 'failed' });
});

it('rejects when the bound cannot be read for good', async () => {
  await expect(play({ readBound: () => Promise.reject(new Error('no such function')) })).rejects.toThrow('no such function');
});
