// A table that goes by another name at its destination is read beside the stream: what comes of a row before the row itself. Rows of
// the table cannot be read before a transaction ends that the test holds open, its changes can.

import { describe, expect, it } from 'vitest';
import { createDatabase, skipReason } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { Workspace } from './process.ts';

const noPostgres = (await skipReason()) !== null;

const TABLES = `
  CREATE TABLE marks (id int PRIMARY KEY);
  CREATE TABLE docs (id int PRIMARY KEY, title text, body text);
  ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
  INSERT INTO docs SELECT n, 'title ' || n, repeat('x', 5000) FROM generate_series(1, 50) n;`;

describe.skipIf(noPostgres).each([
  ['in memory', 'memory'],
  ['on disk', 'disk'],
])('behind a route, with the log %s', (_where, log) => {
  it('an update without the values that it left alone waits for its row, and nothing is refused', async () => {
    await using source = await createDatabase();
    await using replica = await createDatabase();
    using work = new Workspace();
    const pipeline = (tables: string): string => `name: ${source.name}
source: {type: postgresql, url: "${source.url}", slot_name: ${source.name}, publication: ${source.name}, tables: [${tables}]}
plugins:
  transformers:
    - {type: route, params: {routes: [{match: 'public\\.docs', schema: public, table: papers}]}}
destination: {type: postgresql, url: "${replica.url}"}
log: {type: ${log}}
error_handling: {dead_letter_queue: {type: file, path: dead.ndjson}}
`;
    work.write('first.yaml', pipeline('public.marks'));
    work.write('both.yaml', pipeline('public.marks, public.docs'));
    try {
      await source.query(TABLES);
      expect(await work.run(['run', 'first.yaml', '--until-caught-up'])).toMatchObject({ code: 0 });
      const holder = await source.connect();
      await holder.query('BEGIN; INSERT INTO marks VALUES (1)');
      const running = work.start(['run', 'both.yaml']);
      // From here on its changes are sent.
      const published = `SELECT tablename AS name FROM pg_publication_tables WHERE pubname = '${source.name}' ORDER BY 1`;
      await expect.poll(async () => source.query(published)).toEqual([{ name: 'docs' }, { name: 'marks' }]);
      await source.query("UPDATE docs SET title = 'new ' || id WHERE id > 40");
      await source.query('INSERT INTO marks VALUES (2)');
      await expect.poll(async () => replica.query('SELECT id FROM marks')).toEqual([{ id: 2 }]);
      expect(await replica.query('SELECT count(*)::int AS rows FROM papers')).toEqual([{ rows: 0 }]);
      await holder.query('COMMIT');
      await expect.poll(async () => replica.query('SELECT id FROM marks ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
      running.child.kill('SIGTERM');
      expect((await running.ended).code).toBe(0);
      expect(await work.run(['run', 'both.yaml', '--until-caught-up'])).toMatchObject({ code: 0 });
      const content = (table: string): string => `SELECT id, title, md5(body) AS body FROM ${table} ORDER BY id`;
      expect(await replica.query(content('papers'))).toEqual(await source.query(content('docs')));
      expect(() => work.read('dead.ndjson')).toThrow('ENOENT');
    } finally {
      await dropSlots(source);
    }
  });
});
