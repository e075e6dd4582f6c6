// Existing rows beside writers: whatever is committed while chunks are read, what went out ends as what the table holds.

import { expect, it } from 'vitest';
import type { ChangeEvent } from '../../../src/sdk/index.ts';
import type { MysqlSourceConfig } from '../../../src/sources/mysql/config.ts';
import { describeOn, mysqlServers } from '../../helpers/mysql.ts';
import { areDone, SourceWorld } from './source-world.ts';

const ROWS = 3000;
const servers = await mysqlServers();

/** Keys of the table → the value that went out last. Deletes and changes of key are applied as a destination does. */
function fold(events: readonly ChangeEvent[]): Map<string, unknown> {
  const rows = new Map<string, unknown>();
  const keyOf = (row: { readonly [c: string]: unknown } | null): string => `${row?.['k']}/${row?.['n']}`;
  for (const e of events) {
    if (e.op === 's' || e.op === 'm') continue;
    if (e.op === 't') rows.clear();
    else if (e.op === 'd') rows.delete(keyOf(e.before));
    else {
      if (e.oldKey !== null) rows.delete(keyOf(e.oldKey));
      rows.set(keyOf(e.after), e.after?.['v']);
    }
  }
  return rows;
}

describeOn(servers, 'on %s', (server) => {
  const ways: readonly { readonly way: string; readonly more: Partial<MysqlSourceConfig> }[] = [
    { way: 'with ids', more: {} },
    { way: 'by file and place', more: { use_gtid: false } },
  ];
  it.each(ways)('rows end as the table has them while sessions write, $way, over restarts', async ({ more }) => {
    await using world = await SourceWorld.create(
      server,
      'CREATE TABLE items (k varchar(20) CHARACTER SET latin1 NOT NULL, n bigint unsigned NOT NULL, v int, PRIMARY KEY (k, n))',
      {
        snapshot: { tables: ['*.*'], where: {}, chunk_rows: 97, chunk_bytes: 1 << 20, workers: 2, margin: 500, on_error: 'pause' },
        ...more,
      },
    );
    const values = Array.from({ length: ROWS }, (_unused, i) => `('k${(i * 7919) % 50}é', ${i}, 0)`);
    await world.db.query(`INSERT INTO items VALUES ${values.join(',')}`);
    let isOver = false;
    const write = async (seed: number): Promise<void> => {
      const c = await world.db.connect();
      for (let i = seed; !isOver; i += 2) {
        const n = (i * 31) % ROWS;
        await c.query('START TRANSACTION');
        await c.query(`UPDATE items SET v = ${i} WHERE n = ${n}`);
        if (i % 5 === 0) await c.query(`DELETE FROM items WHERE n = ${(n + 7) % ROWS}`);
        if (i % 7 === 0) await c.query(`UPDATE items SET k = 'moved', v = ${i} WHERE n = ${(n + 11) % ROWS}`);
        if (i % 3 === 0) await c.query(`REPLACE INTO items VALUES ('new', ${ROWS + (i % 500)}, ${i})`);
        await c.query(i % 11 === 0 ? 'ROLLBACK' : 'COMMIT');
      }
    };
    const writers = [write(1), write(2)];
    // A crash now and then, behind what was stored.
    for (let session = 0; session < 4; session++) {
      const reader = await world.open(),
        until = world.batches.length + 12;
      await world.take(reader, (_e, progress) => areDone(progress) || (session < 3 && world.batches.length >= until), 'rows');
    }
    isOver = true;
    await Promise.all(writers);
    await world.db.query("INSERT INTO items VALUES ('end', 999999, 1)");
    await world.take(await world.open(), (events) => events.some((e) => e.after?.['k'] === 'end'), 'the end');
    const truth = await world.db.query('SELECT k, n, v FROM items');
    const expected = new Map(truth.map((r) => [`${r['k']}/${r['n']}`, Number(r['v'])]));
    const found = fold(world.events);
    expect([...found].filter(([key, v]) => expected.get(key) !== v)).toEqual([]);
    expect(found.size).toBe(expected.size);
  });
});
