// `cdc-run consume`: what is in the log on disk, beside the pipeline that writes it.

import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { type Started, Workspace } from './process.ts';

const PIPELINE = `name: people
source: {type: sqlite, name: shop, path: shop.db, tables: [people, cities], snapshot_mode: initial, poll_interval: 20ms}
destination: {type: "null"}
log: {type: disk, path: log}
sync: {mode: continuous}
`;

function shop(work: Workspace, sql: string): void {
  const db = new Database(work.path('shop.db'));
  db.exec(sql);
  db.close();
}
/** `op name` of each line. */
function told(out: string): string[] {
  const lines = out.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { op, after, before } = JSON.parse(line) as Record<'after' | 'before', { name: string } | null> & { op: string };
    return `${op} ${(after ?? before)?.name ?? ''}`;
  });
}

/** Runs, with two rows of a snapshot in its log. */
async function running(work: Workspace): Promise<Started> {
  work.write('people.yaml', PIPELINE);
  shop(work, 'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE cities (id INTEGER PRIMARY KEY, name TEXT)');
  shop(work, "INSERT INTO people VALUES (1, 'ann'), (2, 'bob')");
  const run = work.start(['people.yaml']);
  await run.until(/"msg":"first run"/);
  await kept(work, 2);
  return run;
}
/** So many events are in the log. */
async function kept(work: Workspace, count: number): Promise<void> {
  for (;;) if (told((await work.run(['consume', 'people', '-c', 'people.yaml'])).out).length === count) return;
}
async function end(run: Started): Promise<void> {
  run.child.kill('SIGTERM');
  expect((await run.ended).code).toBe(0);
}

describe('cdc-run consume beside a running pipeline', () => {
  it('prints what is there, or what came since a time, or the first of it', async () => {
    using work = new Workspace();
    const run = await running(work);
    const timeMs = Date.now() + 1;
    while (Date.now() <= timeMs) await new Promise((resolve) => setTimeout(resolve, 5));
    shop(work, "UPDATE people SET name = 'bea' WHERE id = 2; INSERT INTO people VALUES (3, 'cy'); INSERT INTO cities VALUES (1, 'rome')");
    await kept(work, 5);
    const consume = async (...more: string[]): Promise<string[]> => {
      const { code, out, err } = await work.run(['consume', 'people', '-c', 'people.yaml', ...more]);
      expect([code, err]).toEqual([0, '']);
      return told(out);
    };
    expect(await consume()).toEqual(['r ann', 'r bob', 'u bea', 'c cy', 'c rome']);
    expect(await consume('--limit', '2')).toEqual(['r ann', 'r bob']);
    expect(await consume('--from', new Date(timeMs).toISOString())).toEqual(['u bea', 'c cy', 'c rome']);
    expect(await consume('--from', new Date(timeMs).toISOString(), '--limit', '1', '--op', 'c')).toEqual(['c cy']);
    expect(await consume('--from', '1h', '--table', 'cities')).toEqual(['c rome']);
    expect(await consume('--from', new Date(Date.now() + 60_000).toISOString())).toEqual([]);
    await end(run);
  });

  it('follows: events are printed as they come, until it has had enough or is told to end', async () => {
    using work = new Workspace();
    const run = await running(work);
    const limited = work.start(['consume', 'people', '-c', 'people.yaml', '--from-beginning', '--follow', '--limit', '4']);
    const endless = work.start(['consume', 'people.people', '-c', 'people.yaml', '--follow']);
    await limited.until(/"name":"bob"/);
    // The endless one begins with what is new; it is there once it prints the first of that.
    let id = 10;
    const heard = endless.until(/"name":"live \d+"/);
    let isHeard = false;
    void heard.then(() => (isHeard = true));
    while (!isHeard) {
      shop(work, `INSERT INTO people VALUES (${++id}, 'live ${id}')`);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    shop(work, "INSERT INTO cities VALUES (1, 'rome'); DELETE FROM people WHERE id = 1");
    await endless.until(/"op":"d"/);

    const stopped = await limited.ended;
    expect([stopped.code, told(stopped.out).slice(0, 2), told(stopped.out)]).toEqual([0, ['r ann', 'r bob'], expect.any(Array)]);
    expect(told(stopped.out)).toHaveLength(4);
    endless.child.kill('SIGTERM');
    const { code, out } = await endless.ended;
    expect(code).toBe(0);
    expect(told(out).filter((line) => !/^(?:c live \d+|d ann)$/.test(line))).toEqual([]);
    expect(told(out).at(-1)).toBe('d ann');
    await end(run);
  });
});
