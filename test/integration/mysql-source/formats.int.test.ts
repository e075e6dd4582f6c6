// Ways in which servers write rows that sessions choose: packed transactions and rows, differences of JSON documents, images with less.

import { expect, it } from 'vitest';
import { type ChangeEvent, JsonText } from '../../../src/sdk/index.ts';
import { describeOn, isMariadb, mysqlServers } from '../../helpers/mysql.ts';
import { SourceWorld } from './source-world.ts';

const CREATE = 'CREATE TABLE items (id int PRIMARY KEY, doc json, note longtext)';
const servers = await mysqlServers(),
  onMysql8 = servers.filter((s) => s === 'mysql'),
  onMariadb = servers.filter((s) => isMariadb(s));
const has = (id: number) => (events: readonly ChangeEvent[]) => events.some((e) => e.after?.['id'] === id);
const docOf = (e: ChangeEvent | undefined): unknown => {
  const doc = e?.after?.['doc'] as unknown;
  return JSON.parse(doc instanceof JsonText ? doc.text : JSON.stringify(doc));
};

describeOn(onMysql8, 'on %s', (server) => {
  it('reads a packed transaction row by row, and goes on in the midst of it', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    await world.streaming();
    const writer = await world.db.connect();
    await writer.query('SET SESSION binlog_transaction_compression = ON');
    const rows = Array.from({ length: 500 }, (_, i) => `(${i + 1}, '{"n": ${i}}', REPEAT('x', 2000))`);
    await writer.query(`INSERT INTO items VALUES ${rows.join(', ')}`);
    await world.take(await world.open({ maxBatchEvents: 70 }), has(100), 'row 100');
    await world.take(await world.open({ maxBatchEvents: 70 }), has(500), 'row 500');
    expect(world.events.map((e) => e.after?.['id'])).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
    expect(docOf(world.events[41])).toEqual({ n: 41 });
  });

  it('applies differences of a document to the row before, and stops the table where there is none', async () => {
    await using world = await SourceWorld.create(server, CREATE, { binlog_row_image: 'MINIMAL' });
    const reader = await world.streaming(),
      writer = await world.db.connect();
    await writer.query(`INSERT INTO items VALUES (1, '{"a": 1, "b": [1, 2, 3], "long": "${'x'.repeat(200)}"}', 'n')`);
    await writer.query("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'");
    await writer.query("UPDATE items SET doc = JSON_SET(doc, '$.a', 2, '$.b[1]', 7) WHERE id = 1");
    await world.take(reader, (events) => events.some((e) => e.op === 'u'), 'the update');
    expect(docOf(world.events.at(-1))).toEqual({ a: 2, b: [1, 7, 3], long: 'x'.repeat(200) });
    await writer.query("SET SESSION binlog_row_image = 'MINIMAL'");
    await writer.query("UPDATE items SET doc = JSON_SET(doc, '$.a', 3) WHERE id = 1");
    await reader.until((r) => r.rejected.length > 0, 'a refusal');
    expect(reader.reading.rejected[0]?.error.message).toMatch(/\.items is stopped.*the old document was not sent/);
  });
});

describeOn(onMariadb, 'on %s', (server) => {
  it('reads packed rows', async () => {
    await using world = await SourceWorld.create(server, CREATE);
    const reader = await world.streaming();
    await world.db.query('SET GLOBAL log_bin_compress = ON');
    try {
      const writer = await world.db.connect();
      await writer.query("INSERT INTO items VALUES (1, '{}', REPEAT('y', 5000)), (2, '{}', REPEAT('z', 5000))");
      await writer.query("UPDATE items SET note = REPEAT('w', 6000) WHERE id = 1");
      await writer.query('DELETE FROM items WHERE id = 2');
      await world.take(reader, (events) => events.some((e) => e.op === 'd'), 'the delete');
    } finally {
      await world.db.query('SET GLOBAL log_bin_compress = OFF');
    }
    expect(world.events.map((e) => [e.op, String((e.after ?? e.before)?.['note']).length])).toEqual([
      ['c', 5000],
      ['c', 5000],
      ['u', 6000],
      ['d', 5000],
    ]);
  });
});
