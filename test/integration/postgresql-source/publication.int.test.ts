// Tables that leave the publication, and publications that go, while somebody reads and while nobody does: what was missed is read
// again or said, never passed over.

import { describe, expect, it } from 'vitest';
import type { CdcError, ChangeEvent, SnapshotProgress } from '../../../src/sdk/index.ts';
import type { Reader } from '../../../src/sdk/testing/reading.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { areDone, SourceWorld } from './source-world.ts';

const TABLES = `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT n, 'old' FROM generate_series(1, 5) n;
  CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'old')`;
const missing = (await skipReason()) !== null;

/** Rows of a table as somebody has them who applies the events in order. */
function rowsOf(events: readonly ChangeEvent[], table: string): [unknown, unknown][] {
  const rows = new Map<unknown, unknown>();
  for (const e of events) {
    if (e.table.id.table !== table) continue;
    if (e.op === 't') rows.clear();
    if (e.before !== null || e.op === 'd') rows.delete((e.before ?? e.key)?.['id']);
    if (e.after !== null) rows.set(e.after['id'], e.after['v']);
  }
  return [...rows].sort(([x], [y]) => Number(x) - Number(y));
}
const has = (table: string, v: string) => (events: readonly ChangeEvent[]) =>
  events.some((e) => e.table.id.table === table && e.after?.['v'] === v);

/** All rows of the table have come again, behind word that those of before are gone. */
const isAnew =
  (table: string) =>
  (events: readonly ChangeEvent[], progress: readonly SnapshotProgress[]): boolean => {
    const own = events.filter((e) => e.table.id.table === table),
      emptied = own.findLastIndex((e) => e.op === 't');
    return emptied >= 0 && own.slice(emptied).some((e) => e.op === 'r') && areDone(progress);
  };

async function started(more: Partial<PostgresqlSourceConfig> = {}, sql = TABLES): Promise<{ world: SourceWorld; reader: Reader }> {
  const world = await SourceWorld.create(sql, { tables: ['a', 'b'], ...more });
  const reader = await world.open();
  if (more.snapshot_mode === 'never') await world.take(reader, () => world.batches.length > 0, 'the start');
  else await world.take(reader, (_, progress) => progress.length === 2 && areDone(progress), 'the rows');
  return { world, reader };
}

/** What the reading ends with. */
async function failure(reader: Reader): Promise<CdcError> {
  try {
    while ((await reader.next()) !== null);
  } catch (error) {
    return error as CdcError;
  }
  throw new Error('the reading ended without an error');
}

const publicationOf = async (world: SourceWorld): Promise<string> =>
  (await world.db.query<{ pubname: string }>('SELECT pubname FROM pg_publication'))[0]?.pubname ?? '';
const now = async (world: SourceWorld, table: string): Promise<[unknown, unknown][]> =>
  (await world.db.query<{ id: number; v: string }>(`SELECT id, v FROM ${table} ORDER BY id`)).map((r) => [r.id, r.v]);

/** `a` leaves the publication; changes before, meanwhile and after, of which the last is of `b`. */
async function leave(world: SourceWorld): Promise<void> {
  const publication = await publicationOf(world);
  await world.db.query("INSERT INTO a VALUES (6, 'before')");
  await world.db.query(`ALTER PUBLICATION ${publication} DROP TABLE a`);
  await world.db.query("DELETE FROM a WHERE id IN (1, 6); INSERT INTO a VALUES (7, 'meanwhile')");
  await world.db.query("INSERT INTO b VALUES (2, 'after')");
}

describe.skipIf(missing)('a table that leaves the publication', () => {
  it('is noticed while the stream runs, and stops the pipeline with what to run', async () => {
    const { world, reader } = await started();
    await using _ = world;
    await leave(world);
    await world.source.lag();
    const noticed = await failure(reader);
    expect(noticed).toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    expect(noticed.message).toMatch(/public\.a \(it is not sent/);
    expect(noticed.fix).toMatch(/ADD TABLE "public"\."a"/);
    const refused = await failure(await world.open());
    expect(refused).toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
    expect(refused.message).toMatch(/public\.a \(it is not sent/);
    expect(refused.fix).toMatch(/cdc-run snapshot contract --tables public\.a/);
    expect(await failure(await world.open()), 'at every start').toMatchObject({ code: 'SOURCE_POSITION_GONE' });
  });

  it.each(['while it is out', 'after it was put back'])('is read anew with when_needed (%s)', async (when) => {
    const { world } = await started({ snapshot_mode: 'when_needed' });
    await using _ = world;
    await leave(world);
    if (when !== 'while it is out') await world.db.query(`ALTER PUBLICATION ${await publicationOf(world)} ADD TABLE a`);
    const seen = world.batches.length;
    const reader = await world.open({}, { snapshot_mode: 'when_needed' });
    const events = await world.take(reader, (e, p) => isAnew('a')(e, p) && has('b', 'after')(e), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
    expect(rowsOf(events, 'b')).toEqual(await now(world, 'b'));
    expect(
      world.batches
        .slice(seen)
        .flatMap((b) => b.events)
        .filter((e) => e.op === 't' || e.op === 'r')
        .map((e) => e.table.id.table),
    ).not.toContain('b');
    await world.db.query("UPDATE a SET v = 'again' WHERE id = 7");
    expect(rowsOf(await world.take(reader, has('a', 'again'), 'a change'), 'a')).toEqual(await now(world, 'a'));
    expect(await world.source.lag()).toMatchObject({ events: null });
  });

  it('is read again when an operator says so, or gone on with', async () => {
    const { world } = await started();
    await using _ = world;
    await leave(world);
    // Of before the refusal: no answer to it.
    await world.open();
    await world.source.snapshot?.({ id: 'early', action: 'skip', tables: ['a'], where: null });
    expect(await failure(await world.open())).toMatchObject({ code: 'SOURCE_POSITION_GONE' });
    await world.source.snapshot?.({ id: 'x', action: 'begin', tables: ['a'], where: null });
    const events = await world.take(await world.open(), (e, p) => isAnew('a')(e, p) && has('b', 'after')(e), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
    await world.stop();
    await world.db.query(`ALTER PUBLICATION ${await publicationOf(world)} DROP TABLE b`);
    await world.db.query("INSERT INTO b VALUES (3, 'missed')");
    expect(await failure(await world.open())).toMatchObject({ code: 'SOURCE_POSITION_GONE' });
    await world.source.snapshot?.({ id: 'y', action: 'skip', tables: ['b'], where: null });
    const reader = await world.open();
    await world.take(reader, () => true, 'the start');
    await reader.next('the order');
    await world.db.query("INSERT INTO b VALUES (4, 'sent')");
    expect(rowsOf(await world.take(reader, has('b', 'sent'), 'what is sent'), 'b').map(([id]) => id)).toEqual([1, 2, 4]);
  });

  it('is emptied once more if nobody is known to have it', async () => {
    const { world } = await started({ snapshot_mode: 'when_needed' });
    await using _ = world;
    await leave(world);
    const stored = world.batches.length;
    await world.take(await world.open(), isAnew('a'), 'the rows');
    // Killed before anything of it was stored.
    await world.stop();
    world.batches = world.batches.slice(0, stored);
    const events = await world.take(await world.open(), (e, p) => isAnew('a')(e, p) && has('b', 'after')(e), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
    const last = world.batches.findLast((b) => b.resume !== null)?.resume;
    await world.source.acknowledge({ main: last as never });
    await world.db.query("INSERT INTO b VALUES (3, 'later')");
    const seen = world.batches.length;
    await world.take(await world.open(), has('b', 'later'), 'the next start');
    expect(
      world.batches
        .slice(seen)
        .flatMap((b) => b.events)
        .map((e) => e.op),
    ).toEqual(['c']);
  });

  it('is whole again wherever a session in between ends, acknowledged or not', { timeout: 120_000 }, async () => {
    const { world } = await started({ snapshot_mode: 'when_needed' });
    await using _ = world;
    const publication = await publicationOf(world);
    for (let cut = 0; cut < 12; cut++) {
      const n = 100 + cut * 10;
      await world.db.query(`INSERT INTO a VALUES (${n}, 'before'), (${n + 1}, 'before')`);
      await world.db.query(`ALTER PUBLICATION ${publication} DROP TABLE a`);
      await world.db.query(`DELETE FROM a WHERE id IN (${n}, ${n - 9}); INSERT INTO a VALUES (${n + 2}, 'meanwhile')`);
      const reader = await world.open({ maxBatchEvents: 3 });
      for (let batches = 0; batches < cut / 2; batches++) {
        const batch = await reader.next('a batch');
        if (batch === null) break;
        world.batches.push(batch);
        if (cut % 2 === 1 && batch.resume !== null) await world.source.acknowledge({ main: batch.resume });
      }
      const again = await world.open({ maxBatchEvents: 3 });
      await world.db.query(`INSERT INTO b VALUES (${n}, 'cut ${cut}')`);
      const expected = JSON.stringify(await now(world, 'a'));
      await world.take(
        again,
        (e, p) => has('b', `cut ${cut}`)(e) && areDone(p) && JSON.stringify(rowsOf(e, 'a')) === expected,
        `all rows (${cut})`,
      );
    }
  });

  it('of a publication that is not ours comes with the SQL for its owner', async () => {
    const { world, reader } = await started(
      { publication: { name: 'theirs', create: false } },
      `${TABLES}; CREATE PUBLICATION theirs FOR TABLE a, b`,
    );
    await using _ = world;
    await leave(world);
    await world.source.lag();
    expect((await failure(reader)).fix).toMatch(/Run as \w+: ALTER PUBLICATION "theirs" ADD TABLE "public"\."a"/);
    expect((await failure(await world.open())).fix).toMatch(/ADD TABLE "public"\."a".*cdc-run snapshot/);
    expect(await failure(await world.open({}, { snapshot_mode: 'when_needed' }))).toMatchObject({ code: 'SOURCE_MISCONFIGURED' });
    await world.db.query('ALTER PUBLICATION theirs ADD TABLE a');
    const again = await world.open({}, { snapshot_mode: 'when_needed' });
    const events = await world.take(again, (e, p) => isAnew('a')(e, p) && has('b', 'after')(e), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
  });

  it('is refused, too, where only changes are read', async () => {
    const { world } = await started({ snapshot_mode: 'never' });
    await using _ = world;
    await world.db.query(`ALTER PUBLICATION ${await publicationOf(world)} DROP TABLE a`);
    expect(await failure(await world.open())).toMatchObject({ code: 'SOURCE_POSITION_GONE' });
  });

  it('counts as such when the publication leaves out an operation', async () => {
    const { world, reader } = await started();
    await using _ = world;
    await world.db.query(`ALTER PUBLICATION ${await publicationOf(world)} SET (publish = 'insert')`);
    await world.source.lag();
    expect((await failure(reader)).fix).toMatch(/SET \(publish = 'insert, update, delete, truncate'\)/);
  });

  it.each([
    ['while the pipeline is stopped', true],
    ['between two looks', false],
  ])('counts as such when the publication left out an operation for a time (%s)', async (_when, isStopped) => {
    const { world, reader } = await started();
    await using _ = world;
    if (isStopped) await world.stop();
    const alter = `ALTER PUBLICATION ${await publicationOf(world)} SET (publish = `;
    await world.db.query(`${alter}'insert')`);
    await world.db.query("UPDATE a SET v = 'meanwhile' WHERE id = 1; DELETE FROM a WHERE id = 2");
    await world.db.query(`${alter}'insert, update, delete, truncate')`);
    if (!isStopped) {
      await world.source.lag();
      expect((await failure(reader)).message).toMatch(/public\.a \(settings of the publication were changed and changed back\)/);
    }
    expect(await failure(await world.open())).toMatchObject({ code: 'SOURCE_POSITION_GONE' });
    const again = await world.open({}, { snapshot_mode: 'when_needed' });
    const events = await world.take(again, (e, p) => isAnew('a')(e, p) && isAnew('b')(e, p), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
    await world.stop();
    await world.db.query("INSERT INTO b VALUES (2, 'after')");
    await world.take(await world.open(), has('b', 'after'), 'a start without a break');
  });

  it('is read anew, too, where the process that put the operation back was killed before it noted it', async () => {
    const { world } = await started();
    await using _ = world;
    await world.stop();
    await world.db.query(`ALTER PUBLICATION ${await publicationOf(world)} SET (publish = 'insert')`);
    await world.db.query('DELETE FROM a WHERE id = 2');
    expect(await failure(await world.open())).toMatchObject({ code: 'SOURCE_POSITION_GONE' });
    await world.source.snapshot?.({ id: 'x', action: 'begin', tables: ['a', 'b'], where: null });
    // What the next start does first, and no more of it.
    await world.db.query(`ALTER PUBLICATION ${await publicationOf(world)} SET (publish = 'insert, update, delete, truncate')`);
    const events = await world.take(await world.open(), (e, p) => isAnew('a')(e, p) && areDone(p), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
  });
});

describe.skipIf(missing)('a table that is another one', () => {
  it('has the rows of the new one, and none of the old one', async () => {
    const { world, reader } = await started();
    await using _ = world;
    await world.db.query("INSERT INTO a VALUES (6, 'last')");
    await world.db.query(
      "DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text, w int); INSERT INTO a VALUES (3, 'new', 1), (9, 'new', 2)",
    );
    await world.source.lag();
    expect((await failure(reader)).message).toMatch(/public\.a \(another table has its name now\)/);
    const events = await world.take(await world.open(), (e, p) => has('a', 'new')(e) && areDone(p), 'the new rows');
    expect(has('a', 'last')(events)).toBe(true);
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
    expect(events.find((e) => e.op === 's')?.schemaChange?.kind).toBe('alter');
  });

  it('has them also when there was none of the name at a start in between', async () => {
    const { world } = await started();
    await using _ = world;
    await world.stop();
    await world.db.query('DROP TABLE a');
    await world.take(await world.open(), () => true, 'the start');
    await world.stop();
    await world.db.query("CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (3, 'new')");
    const events = await world.take(await world.open(), (e, p) => has('a', 'new')(e) && areDone(p), 'the new rows');
    expect(rowsOf(events, 'a')).toEqual([[3, 'new']]);
  });

  it('goes on with its changes where only changes are read', async () => {
    const { world } = await started({ snapshot_mode: 'never' });
    await using _ = world;
    await world.stop();
    await world.db.query("DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (3, 'new')");
    const reader = await world.open();
    await reader.next('the start');
    await world.db.query("INSERT INTO a VALUES (4, 'sent')");
    expect(rowsOf(await world.take(reader, has('a', 'sent'), 'a change'), 'a')).toEqual([[4, 'sent']]);
  });

  it('is told of once when it is dropped, and the others go on', async () => {
    const { world, reader } = await started();
    await using _ = world;
    await world.db.query('DROP TABLE a');
    await world.source.lag();
    await world.source.lag();
    await world.db.query("INSERT INTO b VALUES (2, 'after')");
    await world.take(reader, has('b', 'after'), 'the other table');
  });

  it('has its rows again when it is captured again', async () => {
    const { world } = await started();
    await using _ = world;
    const between = await world.open({}, { tables: ['b'] });
    await world.db.query("DELETE FROM a WHERE id < 5; INSERT INTO b VALUES (2, 'without')");
    await world.take(between, has('b', 'without'), 'the other table');
    const events = await world.take(await world.open(), isAnew('a'), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
  });
});

describe.skipIf(missing)('a publication', () => {
  it.each([
    ['that is dropped', "INSERT INTO a VALUES (6, 'meanwhile')"],
    ['that is dropped, and nothing is written', ''],
    ['that is made anew', "INSERT INTO a VALUES (6, 'meanwhile'); CREATE PUBLICATION %p FOR TABLE a, b"],
  ])('%s is lost history, or everything is read anew', async (_what, sql) => {
    const { world, reader } = await started();
    await using _ = world;
    const name = await publicationOf(world);
    await world.db.query(`DROP PUBLICATION ${name}; ${sql.replace('%p', name)}`);
    if (sql === '') await world.source.lag();
    expect(await failure(reader)).toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    expect(await failure(await world.open())).toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
    const again = await world.open({}, { snapshot_mode: 'when_needed' });
    const events = await world.take(again, (e, p) => isAnew('a')(e, p) && isAnew('b')(e, p), 'the rows again');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
    await world.db.query("UPDATE a SET v = 'again' WHERE id = 2");
    await world.take(again, has('a', 'again'), 'a change');
  });

  it.each([
    ['of all tables', 'FOR ALL TABLES'],
    ['of a schema', 'FOR TABLES IN SCHEMA public'],
  ])('%s may lose and get other tables', async (_what, what) => {
    const setUp = `${TABLES}; DO $$ BEGIN IF current_setting('server_version_num')::int >= 150000 OR '${what}' = 'FOR ALL TABLES' THEN
      EXECUTE 'CREATE PUBLICATION theirs ${what}'; ELSE CREATE PUBLICATION theirs FOR TABLE a, b; END IF; END $$`;
    const { world, reader } = await started({ publication: { name: 'theirs', create: false } }, setUp);
    await using _ = world;
    await world.db.query('CREATE TABLE c (id int PRIMARY KEY); DROP TABLE c');
    await world.source.lag();
    await world.db.query("INSERT INTO b VALUES (2, 'after')");
    await world.take(reader, has('b', 'after'), 'a change');
    await world.db.query("INSERT INTO b VALUES (3, 'later')");
    await world.take(await world.open(), has('b', 'later'), 'the next start');
  });

  it('may be renamed, or another one that is there take its place', async () => {
    const more = { publication: { name: 'theirs', create: false } };
    const { world } = await started(more, `${TABLES}; CREATE PUBLICATION theirs FOR TABLE a, b; CREATE PUBLICATION others FOR ALL TABLES`);
    await using _ = world;
    await world.db.query("INSERT INTO b VALUES (2, 'one')");
    await world.take(await world.open({}, { publication: { name: 'others', create: false } }), has('b', 'one'), 'a change');
    await world.db.query('ALTER PUBLICATION others RENAME TO mine');
    await world.db.query("INSERT INTO b VALUES (3, 'two')");
    const reader = await world.open({}, { publication: { name: 'mine', create: false } });
    await world.take(reader, has('b', 'two'), 'a change');
  });

  it('by the root of a partitioned table goes on when partitions come', async () => {
    const sql = `CREATE TABLE a (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (0) TO (100);
      INSERT INTO a VALUES (1, 'old'); CREATE TABLE b (id int PRIMARY KEY, v text)`;
    const { world, reader } = await started({}, sql);
    await using _ = world;
    await world.db.query("CREATE TABLE a2 PARTITION OF a FOR VALUES FROM (100) TO (200); INSERT INTO a VALUES (101, 'new')");
    await world.source.lag();
    expect(rowsOf(await world.take(reader, has('a', 'new'), 'a change'), 'a')).toEqual([
      [1, 'old'],
      [101, 'new'],
    ]);
  });
});

const PARTITIONED = `CREATE TABLE a (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (0) TO (100);
  INSERT INTO a VALUES (1, 'old'); CREATE TABLE b (id int PRIMARY KEY, v text)`;
const bounds = (from: number): string => `FOR VALUES FROM (${from}) TO (${from + 100})`;
/** A table with a row and a partition of its own, which becomes a partition. */
const attach = (name: string, from: number): string =>
  `CREATE TABLE ${name} (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE ${name}_of PARTITION OF ${name} ${bounds(from)};
  INSERT INTO ${name} VALUES (${from}, '${name}'); ALTER TABLE a ATTACH PARTITION ${name} ${bounds(from)}`;
/** The same with rows of its own, in one transaction. */
const attachAtOnce = (name: string, from: number): string =>
  `BEGIN; CREATE TABLE ${name} AS SELECT ${from} AS id, '${name}' AS v; ALTER TABLE ${name} ALTER id SET NOT NULL;
  ALTER TABLE a ATTACH PARTITION ${name} ${bounds(from)}; COMMIT`;

/** Destinations have all that was handed over. */
async function acknowledge(world: SourceWorld): Promise<void> {
  const resume = world.batches.findLast((b) => b.resume !== null)?.resume;
  if (resume != null) await world.source.acknowledge({ main: resume });
}

describe.skipIf(missing)('partitions that bring rows', () => {
  it('have those read, while the stream runs and at the next start', async () => {
    const { world, reader } = await started({}, PARTITIONED);
    await using _ = world;
    await world.db.query(attach('a2', 100));
    await world.db.query(attachAtOnce('a3', 200));
    await world.source.lag();
    const all =
      (...tables: string[]) =>
      (events: readonly ChangeEvent[], progress: readonly SnapshotProgress[]) =>
        tables.every((v) => has('a', v)(events)) && areDone(progress);
    expect(rowsOf(await world.take(reader, all('a2', 'a3'), 'the rows'), 'a')).toEqual(await now(world, 'a'));
    await acknowledge(world);
    await world.stop();
    await world.db.query(attach('a4', 300));
    const events = await world.take(await world.open(), all('a4'), 'the rows of a4');
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
    expect(events.filter((e) => e.op === 'r').map((e) => e.after?.['v'])).toEqual(['old', 'a2', 'a3', 'a4']);
    expect(events.some((e) => e.op === 't')).toBe(false);
  });

  it('have them read once, and those that were made as partitions not at all', async () => {
    const { world } = await started({}, PARTITIONED);
    await using _ = world;
    await world.db.query(attach('a2', 100));
    await world.db.query(`CREATE TABLE a3 PARTITION OF a ${bounds(200)}; INSERT INTO a VALUES (201, 'made')`);
    await world.take(await world.open(), (e, p) => has('a', 'a2')(e) && has('a', 'made')(e) && areDone(p), 'the rows');
    await acknowledge(world);
    const reader = await world.open();
    await world.source.lag();
    await world.db.query("INSERT INTO b VALUES (2, 'after')");
    const events = await world.take(reader, (e, p) => has('b', 'after')(e) && areDone(p), 'what comes after');
    expect(events.filter((e) => e.op === 'r').map((e) => e.after?.['v'])).toEqual(['old', 'a2']);
    expect(rowsOf(events, 'a')).toEqual(await now(world, 'a'));
  });

  it('have those read, too, where the default one is alone', async () => {
    const { world, reader } = await started(
      {},
      'CREATE TABLE a (id int, v text) PARTITION BY LIST (id); CREATE TABLE b (id int PRIMARY KEY)',
    );
    await using _ = world;
    await world.db.query("CREATE TABLE d (id int, v text); INSERT INTO d VALUES (1, 'd'); ALTER TABLE a ATTACH PARTITION d DEFAULT");
    await world.source.lag();
    expect(rowsOf(await world.take(reader, (e, p) => has('a', 'd')(e) && areDone(p), 'the rows'), 'a')).toEqual([[1, 'd']]);
  });

  it('are told of where only changes are read, and so are those that go', async () => {
    const { world, reader } = await started({ snapshot_mode: 'never' }, PARTITIONED);
    await using _ = world;
    await world.db.query(attach('a2', 100));
    await world.source.lag();
    await world.db.query('ALTER TABLE a DETACH PARTITION a1; DROP TABLE a2');
    await world.source.lag();
    await world.source.lag();
    await world.db.query("INSERT INTO b VALUES (2, 'after')");
    expect((await world.take(reader, has('b', 'after'), 'a change')).filter((e) => e.op === 'r')).toEqual([]);
    expect(world.warnings.filter((w) => /partition/.test(w))).toEqual([
      expect.stringMatching(/^a partition was attached with rows/),
      expect.stringMatching(/^partitions were detached or dropped/),
    ]);
  });
});
