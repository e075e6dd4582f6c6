// What real servers wrote (test/fixtures/mysql), read whole.

import { describe, expect, test } from 'vitest';
import { BinlogDecoder } from '../../../../../src/sources/mysql/binlog/decoder.ts';
import type { BinlogEvent, GtidEvent, RowsEvent } from '../../../../../src/sources/mysql/binlog/events.ts';
import { columnOf } from '../../../../../src/sources/mysql/types.ts';
import { decodeAll, RECORDINGS, readRows, recordedEvents, rowsOf } from '../../../../helpers/binlog-reader.ts';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

/** Of `feat.ty`; the JSON column differs by server. */
const EDGES = {
  id: 1,
  ti: -128,
  tu: 255,
  si: -32768,
  mi: -8388608,
  mu: 16777215,
  i: -2147483648,
  iu: 4294967295n,
  bi: -9223372036854775808n,
  bu: 18446744073709551615n,
  bs: -9007199254740991n,
  f: 1.5,
  d: -1e300,
  dc: '-12345678901234567890123456789012345.123456789012345678901234567890',
  dn: '-0.05',
  dz: '0.00001',
  da: '9999-12-31',
  dt: '1000-01-01T00:00:00',
  dt6: '2024-02-29T23:59:59.999999',
  ts3: '2024-02-29T23:59:59.123Z',
  t: '-838:59:59',
  t6: '-00:00:00.000001',
  t3: '12:34:56.789',
  y: 2155,
  vc: 'naïve 😀',
  vl: 'café €',
  ch: 'abc',
  chl: 'long',
  vb: hex('00ff10'),
  bn: hex('01020000'),
  tx: 'tëxt',
  bl: hex('deadbeef'),
  en: "d'e",
  se: 'x,z',
  b1: '1',
  b10: '1000000001',
  pt: hex('0101000000000000000000f03f0000000000000040'),
  nu: null,
};
const SERVER_JSON = '{"a": [1, -1, 1.5, 18446744073709551615, null, true], "n": {"k": 70000, "neg": -70000}, "é": "ü\\"q"}';
const WRITTEN_JSON = '{"a":[1,-1,1.5,18446744073709551615,null,true],"é":"ü\\"q","n":{"k":70000,"neg":-70000}}';

/** What the catalog of 5.7 says, where the log says nothing. */
const TYPES =
  "id int(11)|ti tinyint(4)|tu tinyint(3) unsigned|si smallint(6)|mi mediumint(9)|mu mediumint(8) unsigned|i int(11)|iu int(10) unsigned|bi bigint(20)|bu bigint(20) unsigned|bs bigint(20)|f float|d double|dc decimal(65,30)|dn decimal(12,2)|dz decimal(5,5)|da date|dt datetime|dt6 datetime(6)|ts3 timestamp(3)|t time|t6 time(6)|t3 time(3)|y year(4)|vc varchar(300)|vl varchar(20)|ch char(10)|chl char(255)|vb varbinary(10)|bn binary(4)|tx text|bl blob|en enum('a','b,c','d''e')|se set('x','y','z')|b1 bit(1)|b10 bit(10)|pt point|js json|nu varchar(10)";
const FACTS = TYPES.split('|').map((text) => {
  const [name = '', columnType = ''] = [text.slice(0, text.indexOf(' ')), text.slice(text.indexOf(' ') + 1)];
  const isText = /^(varchar|char|text|enum|set)/.test(columnType);
  return { name, columnType, charset: isText ? (name === 'vl' ? 'latin1' : 'utf8mb4') : null };
});

const tableRows = (events: readonly BinlogEvent[], table: string): RowsEvent[] => rowsOf(events).filter((e) => e.table.table === table);

describe.each(RECORDINGS)('%s', (name) => {
  const events = decodeAll(recordedEvents(name));

  test('is read to its end, each checksum right', () => {
    expect(events[0]).toMatchObject({ kind: 'format_description', checksum: 'crc32' });
    expect(events.at(-1)).toMatchObject({ kind: 'rotate', artificial: false, position: 4 });
    expect(events.some((e) => e.kind === 'unreadable_rows')).toBe(false);
  });

  test('has the changes of `o` in order, the new column from the ALTER on', () => {
    const o = tableRows(events, 'o');
    expect(o.map((e) => [e.op, e.rowCount, e.table.columns.length]).slice(0, 4)).toEqual([
      ['c', 2, 3],
      ['u', 1, 3],
      ['d', 1, 3],
      ['c', 1, 4],
    ]);
    const facts = ['id bigint(20)', 'v varchar(20)', 'n decimal(10,2)', 'x int(11)'].map((t) => {
      const [n = '', columnType = ''] = t.split(' ');
      return { name: n, columnType, charset: n === 'v' ? 'utf8mb4' : null };
    });
    expect(o.slice(0, 4).flatMap((e) => readRows(e, facts))).toEqual([
      { before: null, after: { id: 1n, v: 'a', n: '1.50' } },
      { before: null, after: { id: 2n, v: 'b', n: '-2.25' } },
      { before: { id: 1n, v: 'a', n: '1.50' }, after: { id: 1n, v: 'c', n: '1.50' } },
      { before: { id: 2n, v: 'b', n: '-2.25' }, after: null },
      { before: null, after: { id: 3n, v: 'd', n: '0.00', x: 8 } },
    ]);
  });

  test('gives the same object for the same TABLE_MAP', () => {
    const [first, second] = tableRows(events, 'o');
    expect(second?.table).toBe(first?.table);
  });

  test('names the tables of its DDL', () => {
    const statements = events.flatMap((e) => (e.kind === 'query' && e.statement.kind === 'ddl' ? [e.statement] : []));
    expect(statements.filter((s) => s.tables[0]?.table === 'o').map((s) => s.verb)).toEqual(['drop', 'create', 'alter']);
  });
});

describe('the row of edge values', () => {
  test.each([
    ['mysql-8.0.31', SERVER_JSON],
    ['mariadb-10.11', WRITTEN_JSON],
  ] as const)('of %s by its own metadata', (name, js) => {
    const [event] = tableRows(decodeAll(recordedEvents(name)), 'ty');
    expect(readRows(event as RowsEvent)).toEqual([{ before: null, after: { ...EDGES, js } }]);
  });

  test('of MySQL 5.7, which says no names, by the catalog', () => {
    const [event] = tableRows(decodeAll(recordedEvents('mysql-5.7.22')), 'ty');
    expect(readRows(event as RowsEvent, FACTS)).toEqual([{ before: null, after: { ...EDGES, js: SERVER_JSON } }]);
  });

  test('of MySQL 5.7 without the catalog is an error that names the column', () => {
    const [event] = tableRows(decodeAll(recordedEvents('mysql-5.7.22')), 'ty');
    expect(() => readRows(event as RowsEvent)).toThrow(/the name of column "1" is not in the log/);
  });

  test('has its types', () => {
    const [event] = tableRows(decodeAll(recordedEvents('mysql-8.0.31')), 'ty');
    const { columns, primaryKey } = (event as RowsEvent).table;
    const spelled = TYPES.split('|').map((t) => t.slice(t.indexOf(' ') + 1));
    // Display widths are the catalog's alone.
    const bare = spelled.map((t) => (/^(tiny|small|medium|big)?int|^year/.test(t) ? t.replace(/\(\d+\)/, '') : t));
    expect(columns.map((c, i) => columnOf(c, i).nativeType)).toEqual(bare);
    expect(primaryKey).toEqual([0]);
    expect(columns.map((c) => c.nullable)).toEqual(columns.map((_, i) => i !== 0));
  });
});

describe('MySQL 8.0', () => {
  const events = decodeAll(recordedEvents('mysql-8.0.31')),
    j = tableRows(events, 'j').flatMap((e) => readRows(e));

  test('unpacks transactions', () => {
    const payload = events.findIndex((e) => e.kind === 'transaction_payload');
    expect(events.slice(payload + 1, payload + 5).map((e) => e.kind)).toEqual(['query', 'table_map', 'rows', 'xid']);
  });

  test('makes documents whole from their changes', () => {
    const text = ',"c":"text that is long enough"'.replaceAll(',"', ', "').replaceAll(':"', ': "');
    expect(j.slice(3, 6).map((r) => [r.before?.d, r.after?.d])).toEqual([
      [`{"a": 1, "b": [1, 2, 3]${text}}`, `{"a": 99, "b": [1, 2, 3]${text}}`],
      [`{"a": 99, "b": [1, 2, 3]${text}}`, `{"a": 99, "b": [1, 3]${text}}`],
      [`{"a": 99, "b": [1, 3]${text}}`, `{"a": 99, "b": [1, 3]${text}, "z": "new"}`],
    ]);
  });

  test('leaves out what MINIMAL images lack', () => {
    expect(j.slice(6, 8)).toEqual([
      { before: { id: 1 }, after: { s: 'min' } },
      { before: { id: 2 }, after: null },
    ]);
  });

  test('numbers its transactions without a gap', () => {
    const gtids = events.filter((e): e is GtidEvent => e.kind === 'gtid').map((e) => e.gtid?.gno ?? 0);
    expect(gtids).toEqual(gtids.map((_, i) => (gtids[0] as number) + i));
  });
});

test('MariaDB: reads packed rows', () => {
  const events = decodeAll(recordedEvents('mariadb-10.11'));
  const [event] = rowsOf(events).filter((e) => e.header.type === 166);
  expect(readRows(event as RowsEvent)).toEqual([{ before: null, after: { id: 10n, v: 'q'.repeat(20), n: '1.00', x: 2 } }]);
});

test('a changed byte anywhere is a wrong checksum', () => {
  const [format, ...rest] = recordedEvents('mysql-8.0.31') as [Buffer, ...Buffer[]];
  for (const event of rest) {
    const at = event.length >> 1,
      broken = Buffer.from(event);
    broken[at] = (broken[at] as number) ^ 1;
    const decoder = new BinlogDecoder();
    decoder.decode(format);
    expect(() => decoder.decode(broken)).toThrow(/CRC32 of an event/);
  }
});
