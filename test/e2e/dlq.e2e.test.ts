// Dead letters from a refusal to their replay: `cdc-run dlq` on what a run has left.

import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { Workspace } from './process.ts';

const PIPELINE = (more = '') => `name: orders
source: {type: sqlite, path: shop.db, tables: [people], snapshot_mode: initial}
destination: {name: replica, type: sqlite, path: replica.db}
sync: {mode: one_time}
${more}`;

function shop(work: Workspace): void {
  const db = new Database(work.path('shop.db'));
  db.exec(
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, card TEXT); INSERT INTO people VALUES (1, 'Ann', '4111-1111'), (2, 'Bobby', '4222-2222'), (3, 'Cy', NULL)",
  );
  db.close();
}
function replica(work: Workspace, sql: string): unknown[] {
  const db = new Database(work.path('replica.db'));
  try {
    if (!/^select/i.test(sql)) db.exec(sql);
    return /^select/i.test(sql) ? db.prepare(sql).all() : [];
  } finally {
    db.close();
  }
}
const NARROW = 'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT CHECK (length(name) < 4), card TEXT)';
/** The refused row fits from here on; points and the rows that are there stay. */
const WIDE =
  'CREATE TABLE wide (id INTEGER PRIMARY KEY, name TEXT, card TEXT); INSERT INTO wide SELECT * FROM people; DROP TABLE people; ALTER TABLE wide RENAME TO people';

describe.each(['file', 'sqlite'])('cdc-run dlq with a queue of type %s', (type) => {
  it('lists, shows, replays what its destination takes by now, and has nothing left', async () => {
    using work = new Workspace();
    shop(work);
    replica(work, NARROW);
    work.write('orders.yaml', PIPELINE(`error_handling: {dead_letter_queue: {type: ${type}, path: dead.q}}\n`));
    expect(await work.run(['orders.yaml'])).toMatchObject({ code: 0, out: expect.stringContaining('1 dead letter → dead.q') });

    const list = await work.run(['dlq', 'list', 'orders.yaml']);
    expect(list).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^DESTINATION_EVENT_REJECTED at destination "replica" {2}1 letter\n/),
    });
    const id = /e\.g\. ([0-9a-f]{8}): snapshot row of \S*people id=2/.exec(list.out)?.[1] ?? '';
    expect((await work.run(['dlq', 'show', 'orders.yaml', id])).out).toMatch(/after +\{"id":\{"\$bigint":"2"\},"name":"Bobby"/);

    // Its key waits for it, so nothing newer of the row can be there.
    const dry = await work.run(['dlq', 'replay', 'orders.yaml', '--all', '--dry-run', '--json']);
    expect([dry.code, JSON.parse(dry.out)]).toMatchObject([0, { ok: true, counts: { planned: 1 } }]);
    // Still refused there.
    expect(await work.run(['dlq', 'replay', 'orders.yaml', '--id', id])).toMatchObject({
      code: 4,
      out: expect.stringContaining('1 letter refused again'),
    });
    expect(JSON.parse((await work.run(['dlq', 'list', 'orders.yaml', '--all', '--json'])).out)).toMatchObject({
      total: 1,
      letters: [{ attempts: 2 }],
    });

    replica(work, WIDE);
    const points = replica(work, "SELECT worker, json_extract(point, '$.sources') AS place FROM _cdc_run_points");
    expect(await work.run(['dlq', 'replay', 'orders.yaml', '--id', id])).toMatchObject({ code: 0, out: '✔ 1 letter sent\n' });
    expect(replica(work, 'SELECT id, name FROM people ORDER BY id')).toEqual([
      { id: 1, name: 'Ann' },
      { id: 2, name: 'Bobby' },
      { id: 3, name: 'Cy' },
    ]);
    expect(replica(work, "SELECT worker, json_extract(point, '$.sources') AS place FROM _cdc_run_points")).toEqual(points);
    expect((await work.run(['dlq', 'list', 'orders.yaml'])).out).toBe('No dead letters of orders.\n');
    // The pipeline goes on where it was.
    expect(await work.run(['orders.yaml'])).toMatchObject({ code: 0, out: expect.stringContaining('replica  0 delivered') });
  });

  it('exports, and purges only with --yes', async () => {
    using work = new Workspace();
    shop(work);
    replica(work, NARROW);
    work.write('orders.yaml', PIPELINE(`error_handling: {dead_letter_queue: {type: ${type}, path: dead.q}}\n`));
    await work.run(['orders.yaml']);
    expect((await work.run(['dlq', 'export', 'orders', '-c', 'orders.yaml', '--out', 'copy.ndjson'])).out).toBe(
      'wrote 1 letter to copy.ndjson\n',
    );
    expect(work.lines('copy.ndjson').map((line) => (JSON.parse(line) as { code: string }).code)).toEqual(['DESTINATION_EVENT_REJECTED']);
    expect(await work.run(['dlq', 'purge', 'orders.yaml', '--all'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('1 letter would be removed'),
    });
    expect(await work.run(['dlq', 'purge', 'orders.yaml', '--code', 'DESTINATION_EVENT_REJECTED', '--yes'])).toMatchObject({
      code: 0,
      out: 'removed 1 letter of orders\n',
    });
    expect((await work.run(['dlq', 'list', 'orders.yaml'])).out).toBe('No dead letters of orders.\n');
  });
});

describe('letters from before a transformer that hides columns', () => {
  const masked = (queue: string) =>
    PIPELINE(`plugins: {transformers: [{type: ./picky.ts}, {type: data_masking, params: {mask_fields: [card]}}]}
error_handling: {dead_letter_queue: {type: file, path: dead.q${queue}}}
`);
  const picky = (refuse: string) => `import { defineTransformer, Type } from 'cdc-run/sdk';
export const descriptor = defineTransformer({
  type: 'picky', title: 'Refuses some', config: Type.Object({}),
  create: () => ({ transform: (events) => { for (const e of events) if (e.after?.name === '${refuse}') throw new Error('no ' + e.after.card); return events; } }),
});
`;

  it('hold them encrypted, and are masked when they are replayed', async () => {
    using work = new Workspace();
    shop(work);
    work.write('picky.ts', picky('Ann'));
    work.write('orders.yaml', masked(', key: a long enough passphrase'));
    expect(await work.run(['orders.yaml'])).toMatchObject({ code: 0 });
    expect(work.read('dead.q')).not.toContain('4111');
    const { out } = await work.run(['dlq', 'list', 'orders.yaml']);
    expect(out).toContain('PLUGIN_FAILED at transformer "picky"');
    expect(out).toContain('no ***');
    const [, id = ''] = /e\.g\. ([0-9a-f]{8})/.exec(out) ?? [];
    expect((await work.run(['dlq', 'show', 'orders.yaml', id])).out).toContain('card: encrypted');
    expect((await work.run(['dlq', 'show', 'orders.yaml', id, '--decrypt'])).out).toContain('4111-1111');

    work.write('picky.ts', picky('nobody'));
    expect(await work.run(['dlq', 'replay', 'orders.yaml', '--all', '--force'])).toMatchObject({ code: 0, out: '✔ 1 letter sent\n' });
    expect(replica(work, 'SELECT card FROM people WHERE id = 1')).toEqual([{ card: '****' }]);
  });

  it('do not hold them without a key, and cannot be replayed', async () => {
    using work = new Workspace();
    shop(work);
    work.write('picky.ts', picky('Ann'));
    work.write('orders.yaml', masked(''));
    await work.run(['orders.yaml']);
    expect(work.read('dead.q')).not.toContain('4111');
    expect(await work.run(['dlq', 'replay', 'orders.yaml', '--all'])).toMatchObject({
      code: 4,
      out: expect.stringMatching(/1 letter cannot be replayed.*\n.*without card/),
    });
  });
});

describe('a queue that is a destination', () => {
  it('takes letters as rows, and says that they cannot be read back', async () => {
    using work = new Workspace();
    shop(work);
    replica(work, NARROW);
    work.write(
      'orders.yaml',
      PIPELINE('error_handling: {dead_letter_queue: {type: destination, destination: {type: sqlite, path: dead.db}}}\n'),
    );
    expect(await work.run(['orders.yaml'])).toMatchObject({ code: 0 });
    const db = new Database(work.path('dead.db'));
    expect(db.prepare('SELECT pipeline, lane, stage, code, attempts FROM cdc_dead_letters').all()).toEqual([
      { pipeline: 'orders', lane: 'replica', stage: 'write', code: 'DESTINATION_EVENT_REJECTED', attempts: 1 },
    ]);
    db.close();
    for (const action of ['list', 'replay'])
      expect(await work.run(['dlq', action, 'orders.yaml', '--all'])).toMatchObject({
        code: 2,
        err: expect.stringContaining('DLQ_NOT_READABLE'),
      });
  });
});

describe('a pipeline that runs', () => {
  const people = (work: Workspace): unknown[] => replica(work, 'SELECT id, name FROM people ORDER BY id');
  const shopSql = (work: Workspace, sql: string): void => {
    const db = new Database(work.path('shop.db'));
    db.exec(sql);
    db.close();
  };

  it('sends letters again in the order of their key, and goes on behind them', async () => {
    using work = new Workspace();
    shop(work);
    replica(work, NARROW);
    const queue = 'error_handling: {dead_letter_queue: {path: dead.q}}\n';
    work.write('orders.yaml', PIPELINE(queue).replace('one_time', 'continuous').replace('initial}', 'initial, poll_interval: 20ms}'));
    const running = work.start(['orders.yaml']);
    await running.until(/dead letter queue/);
    // It waits behind the row of the snapshot.
    shopSql(work, "UPDATE people SET name = 'Bob' WHERE id = 2; INSERT INTO people VALUES (4, 'Dan', NULL)");
    await running.until(/behind sqlite/);
    expect(await work.run(['dlq', 'list', 'orders.yaml'])).toMatchObject({ code: 0, out: expect.stringContaining('2 letters of orders') });

    // Refused again: it stays, and so does what is behind it.
    expect(await work.run(['dlq', 'replay', 'orders.yaml', '--all'])).toMatchObject({
      code: 4,
      out: expect.stringMatching(/✖ 1 letter refused again(?:.*\n)*✖ 1 letter waiting behind an earlier one of their key/),
    });
    replica(work, WIDE);
    expect(await work.run(['dlq', 'replay', 'orders.yaml', '--all'])).toMatchObject({ code: 0, out: '✔ 2 letters sent\n' });
    expect(people(work)).toEqual([
      { id: 1, name: 'Ann' },
      { id: 2, name: 'Bob' },
      { id: 3, name: 'Cy' },
      { id: 4, name: 'Dan' },
    ]);
    expect((await work.run(['dlq', 'list', 'orders.yaml'])).out).toBe('No dead letters of orders.\n');
    // The key is free again.
    shopSql(work, "UPDATE people SET name = 'Rob' WHERE id = 2");
    await eventually(() => JSON.stringify(people(work)).includes('Rob'), 'the row is changed');
    expect(await work.run(['dlq', 'replay', 'orders.yaml', '--all'])).toMatchObject({ code: 0, out: 'No letters of orders to replay.\n' });
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  });

  it('removes letters, and the key flows again', async () => {
    using work = new Workspace();
    shop(work);
    replica(work, NARROW);
    const queue = 'error_handling: {dead_letter_queue: {path: dead.q}}\n';
    work.write('orders.yaml', PIPELINE(queue).replace('one_time', 'continuous').replace('initial}', 'initial, poll_interval: 20ms}'));
    const running = work.start(['orders.yaml']);
    await running.until(/dead letter queue/);
    expect(await work.run(['dlq', 'purge', 'orders.yaml', '--all'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('1 letter would'),
    });
    expect(await work.run(['dlq', 'purge', 'orders.yaml', '--all', '--yes', '--json'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('"removed":1'),
    });
    shopSql(work, "UPDATE people SET name = 'Bob' WHERE id = 2");
    await eventually(() => JSON.stringify(people(work)).includes('Bob'), 'the row is changed');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  });
});

describe('a replay that is killed', () => {
  const KEYS = 20,
    VERSIONS = 12;
  /** Each row that is written is noted, and takes its time: a kill hits the midst of it. */
  const SLOW = `CREATE TABLE history (n INTEGER PRIMARY KEY, id INTEGER, version INTEGER);
    ${['INSERT', 'UPDATE']
      .map(
        (op) => `CREATE TRIGGER noted_${op} AFTER ${op} ON people BEGIN
      INSERT INTO history (id, version) VALUES (new.id, CAST(substr(new.name, 9) AS INTEGER)
        + 0 * (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT count(*) FROM c));
    END;`,
      )
      .join('\n')}`;

  it('loses no letter, and passes none over', { timeout: 300_000 }, async () => {
    using work = new Workspace();
    const source = new Database(work.path('shop.db'));
    source.exec('CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, card TEXT)');
    replica(work, NARROW);
    const yaml = PIPELINE('error_handling: {dead_letter_queue: {path: dead.q}}\n').replace('initial}', 'never}');
    work.write('orders.yaml', yaml);
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    for (let version = 1; version <= VERSIONS; version++)
      for (let id = 1; id <= KEYS; id++)
        source
          .prepare('INSERT INTO people (id, name) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name')
          .run(id, `version-${version}`);
    source.close();
    expect(await work.run(['orders.yaml'])).toMatchObject({ code: 0 });
    const count = async (): Promise<number> => JSON.parse((await work.run(['dlq', 'list', 'orders.yaml', '--all', '--json'])).out).total;
    expect(await count()).toBe(KEYS * VERSIONS);
    replica(work, `${WIDE}; ${SLOW}`);

    const written = (): number => (replica(work, 'SELECT count(*) AS n FROM history') as { n: number }[])[0]?.n ?? 0;
    let kills = 0,
      last: Awaited<ReturnType<Workspace['run']>> | null = null;
    while (last === null || last.signal === 'SIGKILL') {
      const before = written(),
        running = work.start(['dlq', 'replay', 'orders.yaml', '--all']);
      let hasEnded = false;
      void running.ended.then(() => {
        hasEnded = true;
      });
      while (!hasEnded && (kills === 2 || written() === before)) await new Promise((resolve) => setTimeout(resolve, 5));
      if (!hasEnded && running.child.kill('SIGKILL')) kills++;
      last = await running.ended;
    }
    expect(kills).toBeGreaterThan(0);
    // What a kill hit between their delivery and their removal is reported, and never sent again by itself.
    const left = await count();
    expect(last, last.out).toMatchObject({ code: left === 0 ? 0 : 4 });
    expect(last.out).not.toMatch(/refused|cannot be replayed|interrupted/);
    expect(replica(work, 'SELECT count(*) AS n FROM people')).toEqual([{ n: KEYS }]);
    expect(replica(work, `SELECT * FROM people WHERE name <> 'version-${VERSIONS}'`)).toEqual([]);
    for (let id = 1; id <= KEYS; id++) {
      const versions = (replica(work, `SELECT version FROM history WHERE id = ${id} ORDER BY n`) as { version: number }[]).map(
        (h) => h.version,
      );
      // A kill may have it begin again at an earlier one, once each; none is passed over, and the last one stays.
      const steps = versions.map((version, i) => version - (versions[i - 1] ?? 0));
      expect(Math.max(...steps), `key ${id}: ${versions.join(' ')}`).toBe(1);
      expect(steps.filter((step) => step < 1).length, `key ${id}: ${versions.join(' ')}`).toBeLessThanOrEqual(kills);
      expect(versions.at(-1)).toBe(VERSIONS);
    }
  });
});
