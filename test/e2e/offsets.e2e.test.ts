// Points moved by hand: the command line as a child process, on a pipeline that has run and one that runs.

import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { Workspace } from './process.ts';

const yaml = (mode: string): string => `name: orders
source: {type: file, name: lines, path: in.ndjson}
destination: {type: file, name: copy, path: out.ndjson, envelope: plain}
sync: {mode: ${mode}}
state: {type: file}
`;
const rows = (first: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify({ id: first + i })}\n`).join('');

describe('cdc-run offsets', () => {
  it('sets and rolls back what the next run sends, and refuses while one runs', async () => {
    using work = new Workspace();
    work.write('orders.yaml', yaml('one_time'));
    work.write('in.ndjson', rows(1, 3));
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    const [row] = (JSON.parse((await work.run(['offsets', 'orders.yaml', '--json'])).out) as { rows: { position: string }[] }).rows;
    work.write('in.ndjson', rows(1, 5));
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(5);

    // Back to where the first run ended: rows 4 and 5 come again.
    const set = ['offsets', 'set', 'orders.yaml', '--source', 'lines', '--position', row?.position ?? ''];
    const shown = await work.run(set);
    expect(shown.out).toMatch(/copy {2}lines\/\S+ {2}line 5, byte 45 → line 3, byte 27 {2}what lies between is sent again/);
    expect(shown.out).toContain('Nothing was changed.');
    expect((await work.run([...set, '--yes'])).out).toContain('✔ done');
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(7);

    // The very first checkpoint stands at the beginning: all five come again.
    expect((await work.run(['offsets', 'orders.yaml', '--history'])).out).toMatch(/\n {2}1 {2}\S+ \S+ UTC {2}copy {2}the beginning\n/);
    expect((await work.run(['offsets', 'rollback', 'orders.yaml', '--to', '1', '--yes'])).code).toBe(0);
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(12);

    work.write('orders.yaml', yaml('continuous'));
    const running = work.start(['orders.yaml']);
    await running.until(/"msg":"continued from/);
    const refused = await work.run([...set, '--yes']);
    expect([refused.code, refused.err]).toEqual([3, expect.stringContaining('STATE_LOCKED')]);
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
    expect((await work.run(['forget', 'orders', '--yes', '--state', '.cdc/state'])).out).toBe('✔ forgotten: pipeline orders\n');
  });

  it('goes back to what only the log on disk still has, says what is sent again, and no further', async () => {
    using work = new Workspace();
    const pipeline = `name: people
source: {type: sqlite, name: shop, path: shop.db, tables: [people], snapshot_mode: initial}
destination: {type: file, name: copy, path: out.ndjson, envelope: plain}
log: {type: disk, path: log}
sync: {mode: one_time}
`;
    const shop = (sql: string): void => {
      const db = new Database(work.path('shop.db'));
      db.exec(sql);
      db.close();
    };
    const run = async (): Promise<void> => expect((await work.run(['people.yaml'])).code).toBe(0);
    const position = async (): Promise<string> => {
      const [row] = (JSON.parse((await work.run(['offsets', 'people.yaml', '--json'])).out) as { rows: { position: string }[] }).rows;
      return row?.position ?? '';
    };
    work.write('people.yaml', pipeline);
    shop("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'ann')");
    await run();
    const before = await position();
    shop("INSERT INTO people VALUES (2, 'bob'), (3, 'cy')");
    await run();
    shop("UPDATE people SET name = 'bea' WHERE id = 2");
    await run();
    // Twice: from the second on the source has forgotten what is not in the log's last run.
    await run();
    expect(work.lines('out.ndjson')).toHaveLength(4);

    const set = ['offsets', 'set', 'people.yaml', '--source', 'shop', '--position', before];
    const shown = await work.run(set);
    expect(shown).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /what lies between is sent again\n {2}copy {2}the log sends 3 events again \(people 3\), of \S+ \S+ UTC to/,
      ),
    });
    expect(JSON.parse((await work.run([...set, '--json'])).out)).toMatchObject({
      applied: false,
      log: { copy: { again: { people: 3 }, skipped: {} } },
    });
    expect((await work.run([...set, '--yes'])).out).toContain('✔ done');
    await run();
    expect(work.lines('out.ndjson')).toHaveLength(7);
    expect(work.lines('out.ndjson').slice(4)).toEqual(work.lines('out.ndjson').slice(1, 4));

    // Without the log it is gone.
    rmSync(work.path('log'), { recursive: true });
    work.write('people.yaml', pipeline.replace('log: {type: disk, path: log}\n', ''));
    expect(await work.run(set)).toMatchObject({ code: 1, err: expect.stringContaining('SOURCE_POSITION_GONE') });
  });
});
