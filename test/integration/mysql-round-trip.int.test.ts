// PostgreSQL → MySQL → PostgreSQL, each way as it is run, into tables that the destinations make: every value is the same in the end.
// What cannot be is refused, never changed; see "Types" of the MySQL destination's README.

import { expect, it } from 'vitest';
import type { ChangeEvent } from '../../src/sdk/index.ts';
import { describeOn, mysqlServers } from '../helpers/mysql.ts';
import { joinMysql } from '../helpers/mysql-destination.ts';
import { createDatabase, skipReason } from '../helpers/postgres.ts';
import { postgresqlConfig } from '../helpers/postgresql-destination.ts';
import { failed, Lane, STORED } from '../helpers/postgresql-lane.ts';
import { SourceWorld as MysqlWorld } from './mysql-source/source-world.ts';
import { SourceWorld as PostgresWorld } from './postgresql-source/source-world.ts';

const noPostgres = (await skipReason()) !== null;
const servers = noPostgres ? [] : (await mysqlServers()).filter((s) => s !== 'mysql56');

const TYPES = "CREATE TYPE mood AS ENUM ('sad', 'o,k'); CREATE DOMAIN positive AS int CHECK (VALUE > 0); SET TIME ZONE 'UTC'";

/** How the type is read again from what came back, where it is not the type's own input of the text. */
const AGAIN: Readonly<Record<string, string>> = {
  boolean: 'COLUMN::int::boolean::text',
  bytea: "encode(COLUMN, 'hex')",
  timestamptz: "(COLUMN::timestamp AT TIME ZONE 'UTC')::text",
  json: 'COLUMN::text::jsonb::text',
};
const ONCE: Readonly<Record<string, string>> = { bytea: "encode(COLUMN, 'hex')", json: 'COLUMN::jsonb::text' };
/** Arrays come back as JSON. */
const arrayAgain = (element: string): string =>
  `(CASE WHEN COLUMN IS NOT NULL THEN ARRAY(SELECT x FROM jsonb_array_elements_text(COLUMN::text::jsonb) AS x)::${element}[] END)::text`;

/** Type and values as literals. */
const KINDS: readonly (readonly [type: string, ...values: string[]])[] = [
  ['boolean', 'true', 'false'],
  ['smallint', '-32768', '32767'],
  ['integer', '-2147483648', '2147483647'],
  ['bigint', '-9223372036854775808', '9223372036854775807'],
  ['oid', '4294967295', '0'],
  ['real', '3.1415927', '-1e-30', '1.5e38'],
  ['double precision', '0.1', '-1.7976931348623157e308', '5e-324'],
  ['numeric(20,5)', '12345.67890', '-999999999999999.99999'],
  ['numeric', "'0.1234567890123456789012345678901234567890123456789'", "'NaN'", "'-Infinity'", "repeat('9', 200)::numeric"],
  ['char(8)', "'ab'", "''"],
  ['varchar(300)', "'vär 🎈'", "'blanks   '"],
  ['text', 'E\'tab\\t nl\\n bs\\\\ "q" \\u2028\'', "''", "repeat('long ', 40000)"],
  ['bytea', "'\\x00ff5c0a27'", "''"],
  ['date', "'2024-02-29'", "'0001-01-01'", "'9999-12-31'"],
  ['time', "'12:34:56.789012'", "'24:00:00'"],
  ['time(3)', "'12:34:56.7'", "'00:00:00'"],
  ['timetz', "'12:34:56.7+05:30'", "'00:00:00-12'"],
  ['timestamp', "'2024-02-29 12:34:56.500001'", "'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'"],
  ['timestamp(0)', "'2024-02-29 12:34:56'"],
  ['timestamptz', "'2024-02-29 12:34:56.5+02'", "'1900-01-01 00:00:00+00'", "'2500-01-01 00:00:00.000001+00'"],
  ['interval', "'1 year -2 mons 3 days -04:05:06.789'", "'0'"],
  ['uuid', "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
  ['json', `'{"b": 1, "a": [1.5, "\\\\", null, "ä"]}'`, "'null'", "'[]'"],
  ['jsonb', `'{"a": {"b": [true, -9223372036854775808]}}'`, `'"text"'`],
  ['xml', '\'<r a="1">t</r>\''],
  ['bit(3)', "'101'"],
  ['varbit(70)', "'1'", "repeat('01', 35)::varbit"],
  ['inet', "'192.168.0.1/24'", "'::1'"],
  ['cidr', "'10.0.0.0/8'"],
  ['macaddr', "'08:00:2b:01:02:03'"],
  ['point', "'(1.5,-2.5)'"],
  ['int4range', "'[1,10)'", "'empty'"],
  ['tstzrange', `'["2024-01-01 00:00:00+00",)'`],
  ['tsvector', "'a:1 fat'"],
  ['pg_lsn', "'16/B374D848'"],
  ['mood', "'sad'", "'o,k'"],
  ['positive', '5'],
  ['integer[]', "'{1,NULL,3}'", "'{}'"],
  ['text[]', `'{a,NULL,"c \\"d","e\\\\\\\\f"}'`],
  ['numeric[]', "'{1.50,NULL}'"],
  ['timestamptz[]', `'{"2024-02-29 12:00:00.5+00"}'`],
  ['mood[]', "'{sad}'"],
];
const MOST_VALUES = Math.max(...KINDS.map(([, ...values]) => values.length));
const table = (name: string): string =>
  `${TYPES}; CREATE TABLE ${name} (id int PRIMARY KEY, ${KINDS.map(([type], i) => `c${i} ${type}`).join(', ')})`;

/** A row with the n-th value of each type, and one of NULLs at the end. */
const row = (n: number): string => KINDS.map(([, ...values]) => values[n] ?? 'NULL').join(', ');

function expressions(of: Readonly<Record<string, string>>, isBack: boolean): string {
  return KINDS.map(([type], i) => {
    const own =
      of[type] ?? (isBack && type.endsWith('[]') ? arrayAgain(type.slice(0, -2)) : isBack ? `COLUMN::text::${type}::text` : 'COLUMN::text');
    return `${own.replaceAll('COLUMN', `c${i}`)} AS c${i}`;
  }).join(', ');
}

const changes = (events: readonly ChangeEvent[]): ChangeEvent[] => events.filter((e) => e.op !== 's');

describeOn(servers, 'from PostgreSQL by way of %s', (server) => {
  it('comes back with every value of every type', async () => {
    await using first = await PostgresWorld.create(table('typed'), { tables: ['typed'] });
    for (let n = 0; n <= MOST_VALUES; n++) await first.db.query(`INSERT INTO typed VALUES (${n}, ${row(n)})`);
    const count = MOST_VALUES + 1;
    await first.take(await first.open(), (e) => changes(e).length >= count, 'the rows in PostgreSQL');

    await using middle = await MysqlWorld.create(server, 'SELECT 1', { tables: ['typed'] });
    await using there = await joinMysql(middle.db.url);
    expect(await there.write(first.events)).toEqual(STORED);
    await middle.take(await middle.open(), (e) => changes(e).length >= count, 'the rows in MySQL');

    await using back = await createDatabase();
    await back.query(TYPES);
    await using again = await Lane.join(postgresqlConfig(back.url));
    expect(await again.write(middle.events)).toEqual(STORED);

    const utc = "SET TIME ZONE 'UTC'; SET extra_float_digits = 1";
    await first.db.query(utc);
    await back.query(utc);
    const was = await first.db.query(`SELECT id, ${expressions(ONCE, false)} FROM typed ORDER BY id`),
      is = await back.query(`SELECT id, ${expressions(AGAIN, true)} FROM typed ORDER BY id`);
    expect(was).toHaveLength(count);
    expect(Object.values(was[0] ?? {})).not.toContain(null);
    expect(is).toEqual(was);
  });

  it.each([
    ['double precision', "'NaN'"],
    ['real', "'-Infinity'"],
    ['numeric(10,2)', "'NaN'"],
    ['date', "'infinity'"],
    ['date', "'0044-03-15 BC'"],
    ['timestamp', "'12024-01-01 00:00:00'"],
    ['timestamptz', "'-infinity'"],
  ])('refuses a %s of %s, which MySQL cannot hold', async (type, value) => {
    await using world = await PostgresWorld.create(
      `CREATE TABLE odd (id int PRIMARY KEY, a ${type}); INSERT INTO odd VALUES (1, ${value})`,
      {
        tables: ['odd'],
      },
    );
    await world.take(await world.open(), (e) => changes(e).length > 0, 'the row');
    await using db = await MysqlWorld.create(server, 'SELECT 1');
    await using lane = await joinMysql(db.db.url);
    expect(failed(await lane.write(world.events)).map((f) => f.code)).toEqual(['DESTINATION_EVENT_REJECTED']);
  });
});
