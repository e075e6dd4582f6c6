// A SQLite database replicated into real servers of MySQL and MariaDB by the command line: all of it, then what has changed.

import BetterSqlite3 from 'better-sqlite3';
import { expect, it } from 'vitest';
import { createMysqlDatabase, describeOn, mysqlServers } from '../helpers/mysql.ts';
import { Workspace } from './process.ts';

const PIPELINE = `name: shop
source: {type: sqlite, path: shop.db, tables: [orders]}
destination: {type: mysql, url: "\${REPLICA_URL}"}
sync: {mode: one_time}
schema_evolution: {mode: evolve}
`;

const servers = (await mysqlServers()).filter((s) => s !== 'mysql56');

describeOn(servers, 'a pipeline into %s', (server) => {
  it('replicates what is there, then each change once, and follows a column that is added', async () => {
    await using db = await createMysqlDatabase(server);
    using work = new Workspace();
    work.write('shop.yaml', PIPELINE);
    const source = new BetterSqlite3(work.path('shop.db'));
    try {
      source.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, code TEXT, price DECIMAL(10,2), photo BLOB)');
      const insert = source.prepare('INSERT INTO orders VALUES (?, ?, ?, ?)');
      for (let id = 1; id <= 500; id++) insert.run(id, `it's "${id}" ✓ \\`, id / 4, Buffer.from([id & 255, 0, 39]));
      const env = { REPLICA_URL: db.url };
      const plan = await work.run(['plan', 'shop.yaml', '--connect'], env);
      expect(plan.out).toContain(`CREATE TABLE IF NOT EXISTS \`${db.name}\`.\`orders\``);
      expect(await work.run(['run', 'shop.yaml', '--fail-fast'], env)).toMatchObject({ code: 0 });
      source.exec(`UPDATE orders SET code = 'new' WHERE id < 9; UPDATE orders SET id = 1000 WHERE id = 20; DELETE FROM orders WHERE id > 490 AND id < 1000;
        ALTER TABLE orders ADD COLUMN note TEXT; INSERT INTO orders (id, note) VALUES (2000, 'seen')`);
      expect(await work.run(['run', 'shop.yaml', '--fail-fast'], env)).toMatchObject({ code: 0 });
      const wanted = source.prepare('SELECT id, code, price, hex(photo) AS photo, note FROM orders ORDER BY id').all() as Record<
        string,
        unknown
      >[];
      const found = await db.query('SELECT id, code, price, hex(photo) AS photo, note FROM orders ORDER BY id');
      expect(found.map((r) => [r['id'], r['code'], Number(r['price']), r['photo'] ?? '', r['note']])).toEqual(
        wanted.map((r) => [String(r['id']), r['code'], Number(r['price']), r['photo'], r['note']]),
      );
      const idle = await work.run(['run', 'shop.yaml', '--fail-fast'], env);
      expect(idle).toMatchObject({ code: 0, out: expect.stringContaining('nothing new') });
    } finally {
      source.close();
    }
  });
});
