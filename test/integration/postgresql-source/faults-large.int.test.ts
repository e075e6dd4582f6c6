// What is larger than our heap: a transaction of very many rows, and a value, to a file under 256 MB.
// `CDC_TEST_LARGE_ROWS=5000000` for the full transaction.

import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { Workspace } from '../../e2e/process.ts';
import { createDatabase, skipReason } from '../../helpers/postgres.ts';
import { dropSlots } from '../../helpers/postgres-slots.ts';

const ROWS = Number(process.env['CDC_TEST_LARGE_ROWS'] ?? 300_000);
const VALUE_BYTES = 200 << 20;
const TIMEOUT_MS = 120_000 + ROWS / 5;

const PIPELINE = (slot: string): string => `
name: ${slot}
source: {type: postgresql, url: "\${SOURCE_URL}", tables: [t]}
destination: {type: file, path: out.ndjson, envelope: plain}
`;

describe.skipIf((await skipReason()) !== null)('under a heap of 256 MB', () => {
  const captured = async (
    changes: (query: (sql: string) => Promise<unknown>) => Promise<unknown>,
    look: (work: Workspace) => Promise<void>,
  ) => {
    await using db = await createDatabase();
    using work = new Workspace();
    const env = { SOURCE_URL: db.url, NODE_OPTIONS: '--max-old-space-size=256' };
    await db.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
    work.write('large.yaml', PIPELINE(db.name));
    try {
      const first = await work.run(['large.yaml', '--until-caught-up'], env);
      expect(first.code, first.err).toBe(0);
      await changes((sql) => db.query(sql));
      const second = await work.run(['large.yaml', '--until-caught-up'], env);
      expect(second.code, second.err.slice(-3000)).toBe(0);
      await look(work);
    } finally {
      await dropSlots(db);
    }
  };

  it(`a transaction of ${ROWS} rows passes`, { timeout: TIMEOUT_MS }, async () => {
    await captured(
      (query) => query(`INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, ${ROWS}) n`),
      async (work) => {
        let next = 1;
        for await (const line of createInterface({ input: createReadStream(work.path('out.ndjson')) })) {
          if (!line.includes(`"key":{"id":${next}}`)) throw new Error(`row ${next} is not at its place: ${line.slice(0, 200)}`);
          next++;
        }
        expect(next).toBe(ROWS + 1);
      },
    );
  });

  it('a value of 200 MB passes', { timeout: TIMEOUT_MS }, async () => {
    await captured(
      async (query) => {
        await query('ALTER TABLE t ALTER v SET STORAGE EXTERNAL');
        await query(`INSERT INTO t VALUES (1, 'small'), (2, repeat('x', ${VALUE_BYTES})), (3, 'small')`);
      },
      async (work) => {
        const { size } = statSync(work.path('out.ndjson'));
        expect(size).toBeGreaterThan(VALUE_BYTES);
        expect(size).toBeLessThan(VALUE_BYTES + 4096);
      },
    );
  });
});
