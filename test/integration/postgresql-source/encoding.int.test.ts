// Databases without an encoding: a text of theirs may be any bytes.

import { describe, expect, it } from 'vitest';
import { createDatabase, skipReason, type TestDatabase } from '../../helpers/postgres.ts';
import { capture } from './capture.ts';

const missing = (await skipReason()) !== null;
const BROKEN = "E'caf\\xe9'";

async function prepared(key: string): Promise<TestDatabase> {
  const db = await createDatabase('SQL_ASCII');
  // Else the driver's encoding, UTF-8, keeps such bytes out.
  await db.query("SET client_encoding TO 'SQL_ASCII'");
  await db.query(`CREATE TABLE texts (id ${key} PRIMARY KEY, v text, w text)`);
  await db.query('CREATE TABLE zz_end (id int PRIMARY KEY)');
  return db;
}

describe.skipIf(missing)('a database without an encoding', () => {
  it('gives rows that are UTF-8, and parks those that are not', async () => {
    await using db = await prepared('int');
    await db.query(`INSERT INTO texts VALUES (1, 'é', 'a'), (2, ${BROKEN}, 'b'), (3, NULL, 'c')`);
    const dml = [
      `INSERT INTO texts VALUES (4, 'ü', ${BROKEN}), (5, '日本', NULL)`,
      `UPDATE texts SET v = ${BROKEN} WHERE id = 1`,
      "UPDATE texts SET v = 'ok' WHERE id = 2",
      'DELETE FROM texts WHERE id = 4',
      'INSERT INTO zz_end VALUES (1)',
    ];
    const { events, reading } = await capture(db, dml);
    expect(events.map((e) => [e.op, e.after ?? e.before])).toEqual([
      ['r', { id: 1, v: 'é', w: 'a' }],
      ['r', { id: 3, v: null, w: 'c' }],
      ['c', { id: 5, v: '日本', w: null }],
      ['u', { id: 2, v: 'ok', w: 'b' }],
      ['d', { id: 4 }],
      ['c', { id: 1 }],
    ]);
    const shown = reading.rejected.map(({ input, error }) => [JSON.parse(String(input)), (error as Error & { code?: string }).code]);
    expect(shown).toEqual([
      [{ id: '2', v: '\\x636166e9', w: 'b' }, 'SOURCE_DATA_INVALID'],
      [{ id: '4', v: 'ü', w: '\\x636166e9' }, 'SOURCE_DATA_INVALID'],
      [{ id: '1', v: '\\x636166e9', w: 'a' }, 'SOURCE_DATA_INVALID'],
    ]);
    expect(new Set(reading.rejected.map((r) => r.at)).size).toBe(3);
    expect(reading.rejected.map((r) => r.error.message).join(' ')).not.toContain('caf');
  });

  it('has no trouble with columns that are left out', async () => {
    await using db = await prepared('int');
    await db.query(`INSERT INTO texts VALUES (1, ${BROKEN}, 'a')`);
    const columns = { include: ['*'], exclude: ['texts.v'] };
    const { events, reading } = await capture(db, [`INSERT INTO texts VALUES (2, ${BROKEN}, 'b')`, 'INSERT INTO zz_end VALUES (1)'], {
      columns,
    });
    expect(reading.rejected).toEqual([]);
    expect(events.slice(0, 2).map((e) => e.after)).toEqual([
      { id: 1, w: 'a' },
      { id: 2, w: 'b' },
    ]);
  });

  it('cannot be read past a key that is not UTF-8', async () => {
    await using db = await prepared('text');
    await db.query(`INSERT INTO texts VALUES ('a'), (${BROKEN})`);
    const snapshot = { tables: ['*.*'], where: {}, chunk_rows: 1000, chunk_bytes: 1 << 20, workers: 2, on_error: 'stop' as const };
    await expect(capture(db, [], { snapshot })).rejects.toMatchObject({ code: 'SOURCE_DATA_INVALID', retriable: false });
  });
});
