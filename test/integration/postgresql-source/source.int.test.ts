// The whole source against a real server: what the contract suite does not know of.

import { describe, expect, it } from 'vitest';
import { type ChangeEvent, sameValue } from '../../../src/sdk/index.ts';
import { systemClock } from '../../../src/sdk/ports.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { dropSlots } from '../../helpers/postgres-slots.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';
import { areDone, SourceWorld } from './source-world.ts';

const TYPED = `
  CREATE TYPE mood AS ENUM ('sad', 'ok');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TYPE pair AS (a int, b text);
  CREATE TABLE typed (id int PRIMARY KEY, v_int2 int2, v_int4 int4, v_int8 int8, v_oid oid, v_real real, v_double float8, v_num numeric(20,5),
    v_any numeric, v_money money, v_bool bool, v_char char(8), v_varchar varchar(20), v_text text, v_name name, v_bytea bytea, v_date date, v_time time,
    v_time3 time(3), v_timetz timetz, v_ts timestamp, v_ts0 timestamp(0), v_tstz timestamptz, v_interval interval, v_uuid uuid, v_json json,
    v_jsonb jsonb, v_xml xml, v_bit bit(3), v_varbit varbit, v_inet inet, v_cidr cidr, v_mac macaddr, v_mac8 macaddr8, v_point point, v_line line,
    v_lseg lseg, v_box box, v_path path, v_polygon polygon, v_circle circle, v_int4range int4range, v_numrange numrange, v_tstzrange tstzrange,
    v_multi int4multirange, v_tsvector tsvector, v_tsquery tsquery, v_lsn pg_lsn, v_mood mood, v_domain positive, v_pair pair, v_ints int[],
    v_grid text[][], v_moods mood[], v_pairs pair[], v_boxes box[], v_times timestamptz[], v_bytes bytea[], v_path2 jsonpath, v_snap pg_snapshot)`;
const VALUES: readonly string[] = [
  `-32768, -2147483648, 9223372036854775807, 4294967295, 3.1415927, 'NaN', 12345.67890, 'Infinity', 12.50, true, 'ab', 'vär', E'tab\\t nl\\n bs\\\\ q"',
    'a name', '\\x00ff5c0a', '2024-02-29', '12:34:56.789', '12:34:56.789', '12:34:56.7+05:30', '2024-02-29 12:34:56.5', '2024-02-29 12:34:56',
    '2024-02-29 12:34:56.5+02', '1 year -2 mons 3 days -04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": 1,  "a": [1, "\\\\"]}', '{"a": 1}',
    '<r a="1">t</r>', '101', '1', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '(1.5,-2.5)', '{1,2,3}',
    '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1),(1,0))', '<(0,0),1>', '[1,10)', '(,5]', '["2024-01-01 00:00:00+00",)',
    '{[1,3),[5,8)}', 'a:1 fat', 'fat & rat', '16/B374D848', 'ok', 5, ROW(1, 'a "b" \\\\'), '{1,NULL,3}', '{{a,NULL},{"c d","e\\\\f"}}', '{sad,ok}',
    ARRAY[ROW(1,'x')::pair], '{(1,1),(0,0);(2,2),(1,1)}', '{"2024-02-29 12:00:00+00",infinity}', ARRAY['\\xff00'::bytea, NULL], '$.a[*]', '10:20:10,14,15'`,
  Array.from({ length: 59 }, () => 'NULL').join(', '),
  `0, 0, 0, 0, '-Infinity', '1e300', 0, '0.000', -0.01, false, '', '', '', '', '', '0044-03-15 BC', '24:00:00', '00:00:00', '00:00:00-12', 'infinity',
    '-infinity', '12024-01-01 00:00:00+00', '0', '00000000-0000-0000-0000-000000000000', 'null', '[]', '', '000', '', '::1', '::/0', '00:00:00:00:00:00',
    '00:00:00:00:00:00:00:00', '(0,0)', '{1,0,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '[(0,0)]', '((0,0))', '<(0,0),0>', 'empty', 'empty', 'empty', '{}', '', '',
    '0/0', 'sad', 1, ROW(NULL, ''), '{}', '{}', '{}', '{}', '{}', '{}', '{}', '$', '1:1:'`,
];

describe.skipIf((await skipReason()) !== null)('a PostgreSQL source', () => {
  it('gives every type the same value in snapshot and stream', async () => {
    await using world = await SourceWorld.create(TYPED, { tables: ['typed'] });
    const add = async (from: number): Promise<void> => {
      for (const [i, values] of VALUES.entries()) await world.db.query(`INSERT INTO typed VALUES (${from + i}, ${values})`);
    };
    await add(1);
    const reader = await world.open();
    await world.take(reader, (_, progress) => areDone(progress), 'the rows');
    await add(101);
    const events = await world.take(reader, (e) => e.length >= 2 * VALUES.length, 'the changes');
    expect(events.map((e) => e.op)).toEqual(['r', 'r', 'r', 'c', 'c', 'c']);
    for (const [i] of VALUES.entries()) {
      const read = events[i]?.after ?? {},
        streamed = events[i + VALUES.length]?.after ?? {};
      expect(Object.keys(read)).toHaveLength(60);
      for (const name of Object.keys(streamed).filter((n) => n !== 'id')) {
        expect(sameValue(read[name], streamed[name]), `${name}: ${String(read[name])} and ${String(streamed[name])}`).toBe(true);
      }
    }
    expect(events[0]?.after).toMatchObject({
      v_text: 'tab\t nl\n bs\\ q"',
      v_grid: [
        ['a', null],
        ['c d', 'e\\f'],
      ],
      v_pair: { a: 1, b: 'a "b" \\\\' },
    });
    expect(events[0]?.table).toEqual(events[3]?.table);
  });

  it('keeps the destination equal to the tables while rows are read, written to, and sessions die', async () => {
    await using world = await SourceWorld.create(
      `CREATE TABLE a (id int PRIMARY KEY, v int, big text); ALTER TABLE a ALTER big SET STORAGE EXTERNAL;
       CREATE TABLE b (k text, n int, v int, PRIMARY KEY (k, n)); ALTER TABLE b REPLICA IDENTITY FULL;
       INSERT INTO a SELECT n, 0, repeat('x', 3000) || n FROM generate_series(1, 400) n;
       INSERT INTO b SELECT 'k' || n % 10, n, 0 FROM generate_series(1, 400) n`,
      { tables: ['a', 'b'], snapshot: { tables: ['*.*'], where: {}, chunk_rows: 25, chunk_bytes: 1 << 20, workers: 3, on_error: 'stop' } },
    );
    let isWriting = true;
    const write = async (seed: number): Promise<void> => {
      const client = await world.db.connect();
      for (let i = seed; isWriting; i++) {
        const id = 1 + ((Math.floor(i / 7) * 37 + i) % 400);
        // Key changes without the large value, rows that come and go, rows that move over the place of the reader.
        const statement = [
          `UPDATE a SET v = v + 1 WHERE id = ${id}`,
          `UPDATE a SET id = id + 1000 WHERE id = ${id}`,
          `UPDATE a SET id = id - 1000 WHERE id = ${id + 1000}`,
          `DELETE FROM a WHERE id = ${id}`,
          `INSERT INTO a VALUES (${id}, ${i}, repeat('y', 3000)) ON CONFLICT DO NOTHING`,
          `UPDATE b SET v = v + 1, k = 'z' || n WHERE n = ${id}`,
          `DELETE FROM b WHERE n = ${id}; INSERT INTO b VALUES ('k', ${id}, ${i}) ON CONFLICT DO NOTHING`,
        ][i % 7];
        await client.query(`BEGIN; ${statement}; COMMIT`).catch(() => client.query('ROLLBACK'));
        await systemClock.sleep(1);
      }
    };
    const writers = [write(1), write(3)];
    try {
      for (let session = 1; session <= 8; session++) {
        const reader = await world.open({ maxBatchEvents: 25 }),
          until = world.batches.length + 12 * session;
        await world.take(reader, () => world.batches.length >= until, 'more batches');
      }
    } finally {
      isWriting = false;
      await Promise.all(writers);
    }
    const reader = await world.open({ maxBatchEvents: 25 });
    await world.db.query("INSERT INTO b VALUES ('end', -1, 0)");
    const events = await world.take(reader, (e, progress) => areDone(progress) && e.some((x) => x.after?.['n'] === -1), 'the end');
    expect(events.filter((e) => e.op === 'r').length).toBeGreaterThan(100);
    const { a, b } = replay(events);
    expect(a).toEqual((await world.db.query('SELECT * FROM a ORDER BY id')).map((r) => [String(r['id']), r['v'], r['big']]));
    expect(b).toEqual((await world.db.query('SELECT k, n, v FROM b ORDER BY n')).map((r) => [r['k'], r['n'], r['v']]));
  });

  it('reads partitions under the name of their root, and tables without a key in one pass', async () => {
    await using world = await SourceWorld.create(
      `CREATE TABLE parts (id int, r int, PRIMARY KEY (id, r)) PARTITION BY LIST (r);
       CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
       CREATE TABLE plain (v text); ALTER TABLE plain REPLICA IDENTITY FULL;
       INSERT INTO parts SELECT n, 1 + n % 2 FROM generate_series(1, 30) n; INSERT INTO plain SELECT 'v' || n FROM generate_series(1, 30) n`,
    );
    const reader = await world.open({ maxBatchEvents: 7 });
    await world.take(reader, (_, progress) => areDone(progress), 'the rows');
    await world.db.query('INSERT INTO parts VALUES (31, 2)');
    await world.db.query("UPDATE plain SET v = 'new' WHERE v = 'v1'");
    const events = await world.take(reader, (e) => e.length >= 62, 'the changes');
    expect(new Set(events.map((e) => `${e.op} ${e.table.id.table}`))).toEqual(new Set(['r parts', 'r plain', 'c parts', 'u plain']));
    expect(events.filter((e) => e.op === 'r')).toHaveLength(60);
    expect(events.at(-1)).toMatchObject({ before: { v: 'v1' }, after: { v: 'new' }, key: null });
  });

  it('reads a table again that was rewritten while its rows were read', async () => {
    await using world = await SourceWorld.create(
      'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 100) n',
      { tables: ['t'], snapshot: { tables: ['*.*'], where: {}, chunk_rows: 10, chunk_bytes: 1 << 20, workers: 2, on_error: 'stop' } },
    );
    const reader = await world.open({ maxBatchEvents: 10 });
    await world.take(reader, (e) => e.length >= 20, 'some rows');
    await world.db.query("ALTER TABLE t ALTER v TYPE text USING 'n' || v");
    const events = await world.take(reader, (_, progress) => areDone(progress), 'the rest');
    const state = new Map(events.filter((e) => e.op === 'r').map((e) => [e.after?.['id'], e.after?.['v']]));
    expect([...state.values()].every((v) => typeof v === 'string' && v.startsWith('n'))).toBe(true);
    expect(state.size).toBe(100);
    expect(events.filter((e) => e.op === 's').map((e) => e.table.version)).toEqual([2]);
  });

  it('reads a table again whose rows a change of type has rewritten', async () => {
    await using world = await SourceWorld.create(
      'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 20) n',
      {
        tables: ['t'],
      },
    );
    const reader = await world.open();
    await world.take(reader, (_, progress) => areDone(progress), 'the rows');
    await world.db.query("ALTER TABLE t ALTER v TYPE text USING 'n' || v; INSERT INTO t VALUES (21, 'new')");
    const events = await world.take(reader, (e, progress) => e.length >= 42 && areDone(progress), 'the rows again');
    expect(events.slice(20).map((e) => e.op)).toEqual(['s', 'c', ...Array.from({ length: 21 }, () => 'r')]);
    expect(events.at(-1)?.after).toEqual({ id: 21, v: 'new' });
    expect(events.find((e, i) => i > 22 && e.after?.['id'] === 5)?.after).toEqual({ id: 5, v: 'n5' });
  });

  it('reads a table again whose rows have got what a default computed, and not for a literal or another name', async () => {
    await using world = await SourceWorld.create(
      'CREATE TABLE t (id int PRIMARY KEY, at timestamptz DEFAULT now()); INSERT INTO t VALUES (1), (2)',
      { tables: ['t'] },
    );
    const reader = await world.open();
    await world.take(reader, (_, progress) => areDone(progress), 'the rows');
    await world.db.query(
      "ALTER TABLE t RENAME at TO made_at; ALTER TABLE t ADD plain int DEFAULT 5, ADD bits bit(1) DEFAULT B'0', ADD empty text",
    );
    await world.db.query('INSERT INTO t VALUES (3)');
    await world.take(reader, (e) => e.some((event) => event.after?.['id'] === 3), 'row 3');
    await world.db.query('ALTER TABLE t ADD token uuid DEFAULT gen_random_uuid(); INSERT INTO t VALUES (4)');
    const events = await world.take(reader, (e) => e.filter((event) => event.op === 'r').length >= 6, 'the rows again');
    expect(events.map((e) => e.op)).toEqual(['r', 'r', 's', 'c', 's', 'c', 'r', 'r', 'r', 'r']);
    const tokens = (await world.db.query<{ token: string }>('SELECT token FROM t ORDER BY id')).map((row) => row.token);
    expect(events.slice(6).map((e) => e.after?.['token'])).toEqual(tokens);
  });

  it('ends by itself when only existing rows are wanted', async () => {
    await using world = await SourceWorld.create('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20)', {
      tables: ['t'],
      snapshot_mode: 'initial_only',
    });
    const { events } = await (await world.open({ maxBatchEvents: 6 })).toEnd();
    expect(events.map((e) => [e.op, e.after?.['id']])).toEqual(Array.from({ length: 20 }, (_, i) => ['r', i + 1]));
    const places = events.map((e) => e.snapshot !== false && e.snapshot.place);
    expect([places[0], places[1], places.at(-1)]).toEqual(['first', 'true', 'last']);
  });

  it('says that history is lost when the slot is gone, or reads everything anew', async () => {
    await using world = await SourceWorld.create('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)', { tables: ['t'] });
    expect(await (await openOnly(world)).acknowledged()).toBeNull();
    await world.take(await world.open(), (_, progress) => areDone(progress), 'the rows');
    await world.stop();
    await dropSlots(world.db);
    await world.db.query('DELETE FROM t WHERE id = 1');
    await expect((await world.open()).next()).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
    const seen = world.events.length;
    const reader = await world.open({}, { snapshot_mode: 'when_needed' });
    await world.take(reader, (e, progress) => e.length > seen + 1 && areDone(progress), 'the rows again');
    expect(world.events.slice(seen).map((e) => [e.op, e.after?.['id']])).toEqual([
      ['t', undefined],
      ['r', 2],
    ]);
  });

  it('does not read anew what a lost slot took of tables whose rows are not read', async () => {
    await using world = await SourceWorld.create('CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE log (id int PRIMARY KEY)', {
      tables: ['t', 'log'],
      snapshot: { ...POSTGRESQL_SOURCE_DEFAULTS.snapshot, tables: ['t'] },
      snapshot_mode: 'when_needed',
    });
    await world.take(await world.open(), (_, progress) => areDone(progress), 'the start');
    await world.stop();
    await dropSlots(world.db);
    const seen = world.events.length;
    await expect((await world.open()).next()).rejects.toMatchObject({
      code: 'SOURCE_POSITION_GONE',
      message: expect.stringContaining('of public.log no rows are read') as string,
      retriable: false,
    });
    expect(world.events.length).toBe(seen);
  });

  it('passes messages on, leaves columns out, and tells what an update did not send', async () => {
    await using world = await SourceWorld.create('CREATE TABLE t (id int PRIMARY KEY, big text, secret text, v int)', {
      tables: ['t'],
      columns: { include: ['*'], exclude: ['secret'] },
      logical_messages: { include: ['outbox.*'], exclude: [] },
    });
    const reader = await world.open();
    await world.take(reader, (_, progress) => areDone(progress), 'the start');
    await world.db.query(
      "ALTER TABLE t ALTER big SET STORAGE EXTERNAL; INSERT INTO t VALUES (1, repeat('x', 5000), 's', 1); UPDATE t SET v = 2",
    );
    await world.db.query(
      "SELECT pg_logical_emit_message(true, 'outbox.a', 'in'), pg_logical_emit_message(false, 'outbox.b', 'out'), pg_logical_emit_message(true, 'noise', '')",
    );
    const events = await world.take(reader, (e) => e.length >= 4, 'the changes');
    expect(events.map((e) => e.op).sort()).toEqual(['c', 'm', 'm', 'u']);
    const update = events.find((e) => e.op === 'u');
    expect(update?.after).toEqual({ id: 1, v: 2 });
    expect(update?.incomplete).toBe(true);
    expect(events.find((e) => e.op === 'c')?.after).not.toHaveProperty('secret');
  });

  it('tells the slot what is durable, also while nothing is captured', async () => {
    await using world = await SourceWorld.create('CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int)', { tables: ['t'] });
    const reader = await world.open();
    await world.take(reader, (_, progress) => areDone(progress), 'the start');
    await world.db.query('INSERT INTO other SELECT generate_series(1, 1000)');
    const [row] = await world.db.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
    const confirmed = async (): Promise<boolean> => {
      const [slot] = await world.db.query<{ ok: boolean }>(
        'SELECT confirmed_flush_lsn >= $1::pg_lsn AS ok FROM pg_replication_slots WHERE slot_name = $2',
        [row?.lsn, world.slot],
      );
      return slot?.ok === true;
    };
    for (let left = 50; left > 0 && !(await confirmed()); left--) {
      const batch = await reader.next('progress');
      if (batch?.resume != null) await world.source.acknowledge({ main: batch.resume });
      // A status goes out a moment later; where all is said, no other batch comes.
      for (let looks = 30; looks > 0 && !(await confirmed()); looks--) await systemClock.sleep(100);
    }
    expect(await confirmed()).toBe(true);
  });
});

async function openOnly(world: SourceWorld): Promise<SourceWorld['source']> {
  await world.open();
  return world.source;
}

/** As a destination applies them: rows whole, incomplete ones as updates of the columns that are there. */
function replay(events: readonly ChangeEvent[]): { a: unknown[][]; b: unknown[][] } {
  const tables = { a: new Map<string, Record<string, unknown>>(), b: new Map<string, Record<string, unknown>>() };
  const seen = new Set<string>();
  for (const e of events) {
    if (e.op === 's' || e.op === 'm') continue;
    if (e.snapshot === false && seen.has(e.id)) throw new Error(`${e.id} came twice`);
    seen.add(e.id);
    const rows = tables[e.table.id.table as 'a' | 'b'],
      key = JSON.stringify(Object.values(e.key ?? {})),
      oldKey = e.oldKey === null ? key : JSON.stringify(Object.values(e.oldKey));
    const old = rows.get(oldKey);
    if (e.op === 'd' || oldKey !== key) rows.delete(oldKey);
    if (e.op === 'd') continue;
    // No row there: it will be read.
    if (e.incomplete && old === undefined) continue;
    rows.set(key, e.incomplete ? { ...old, ...e.after } : { ...e.after });
  }
  return {
    a: [...tables.a.values()].sort((x, y) => Number(x['id']) - Number(y['id'])).map((r) => [String(r['id']), r['v'], r['big']]),
    b: [...tables.b.values()].sort((x, y) => Number(x['n']) - Number(y['n'])).map((r) => [r['k'], r['n'], r['v']]),
  };
}
