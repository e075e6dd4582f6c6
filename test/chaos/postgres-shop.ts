// The shop in PostgreSQL, and what must hold of what was delivered of it. Triggers note each change in its own transaction.

import { expect } from 'vitest';
import type { AuditedTable, Effect } from './audit.ts';
import type { Line, Row } from './evidence.ts';
import type { OwnPostgres } from './own-postgres.ts';
import type { Replica } from './replicas.ts';
import { TABLES } from './shop.ts';

const COLUMNS = { id: 'number', name: 'text', credit: 'number', rev: 'number', note: 'text' } as const;
const WIDTH = Object.keys(COLUMNS).length;

export const POSTGRES_SHOP: readonly AuditedTable[] = TABLES.map((name) => ({
  name,
  columns: 'id bigint PRIMARY KEY, name text, credit double precision, rev bigint, note text',
  rev: 'rev',
}));

/** `orders` has full identity: deletes and updates carry the whole old row. */
export async function createPostgresShop(server: OwnPostgres, rows: number): Promise<void> {
  await server.query(`CREATE SEQUENCE ids START 100000; CREATE SEQUENCE revs;
    CREATE TABLE history (n bigserial PRIMARY KEY, tbl text, op text, id bigint, rev bigint, lsn pg_lsn DEFAULT pg_current_wal_insert_lsn());
    CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_OP = 'TRUNCATE' THEN INSERT INTO history (tbl, op) VALUES (TG_TABLE_NAME, 't');
      ELSIF TG_OP = 'DELETE' THEN INSERT INTO history (tbl, op, id, rev) VALUES (TG_TABLE_NAME, 'd', OLD.id, OLD.rev);
      ELSE INSERT INTO history (tbl, op, id, rev) VALUES (TG_TABLE_NAME, CASE TG_OP WHEN 'INSERT' THEN 'c' ELSE 'u' END, NEW.id, NEW.rev);
      END IF; RETURN NULL;
    END $$`);
  for (const { name, columns } of POSTGRES_SHOP) {
    await server.query(`CREATE TABLE ${name} (${columns}); ALTER TABLE ${name} ALTER note SET STORAGE EXTERNAL;
      INSERT INTO ${name} SELECT n, 'row ' || n, n / 4.0, 0, CASE n % 3 WHEN 0 THEN repeat(md5(n::text), 100) END FROM generate_series(1, ${rows}) n;
      CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION note_change();
      CREATE TRIGGER note_t AFTER TRUNCATE ON ${name} FOR EACH STATEMENT EXECUTE FUNCTION note_change()`);
  }
  await server.query('ALTER TABLE orders REPLICA IDENTITY FULL');
}

/** A moment behind the snapshot. */
export interface Since {
  readonly lsn: string;
  readonly rev: number;
}

/** Compared with what somebody has who applies the lines in order, and with the replicas. */
export async function expectPostgresShopDelivered(
  server: OwnPostgres,
  lines: readonly Line[],
  replicas: readonly Replica[],
  since: Since,
): Promise<void> {
  expect(new Set(lines.map(({ id }) => id)).size, 'ids').toBe(lines.length);
  await expectEachChangeOnce(server, lines, since.lsn);
  for (const table of TABLES) {
    const rows = await server.query(`SELECT id::float8 AS id, name, credit, rev::float8 AS rev, note FROM ${table} ORDER BY id`);
    expectSameRows(replayed(lines, table), rows, `replay of the file, ${table}`);
    for (const replica of replicas) expectSameRows(await replica.rows(table, COLUMNS), rows, `${replica.name}, ${table}`);
  }
  for (const replica of replicas) expectPutsOfLines(await replica.effects(), lines, since.rev, replica.name);
}

/**
 * A row never goes back, and behind the snapshot one of `orders` is put no more often than it was handed over. In the snapshot
 * it may come again: what one destination has stored of a chunk, another one may not have. So may rows of `customers` after any
 * start: a change of key that did not send the large value has its row read again.
 */
function expectPutsOfLines(effects: readonly Effect[], lines: readonly Line[], since: number, replica: string): void {
  const left = new Map<string, number>(),
    newest = new Map<string, number>();
  for (const { table, after } of lines) {
    const what = `${table}/${String(after?.['id'])}/${String(after?.['rev'])}`;
    if (after !== undefined) left.set(what, (left.get(what) ?? 0) + 1);
  }
  const wrong = effects.filter(({ op, table, id, rev }) => {
    if (op !== 'put') return false;
    const what = `${table}/${id}/${rev}`,
      row = `${table}/${id}`,
      isBack = rev < (newest.get(row) ?? 0);
    newest.set(row, rev);
    left.set(what, (left.get(what) ?? 0) - 1);
    return isBack || (table === 'orders' && rev > since && (left.get(what) as number) < 0);
  });
  expect(wrong.slice(0, 10), replica).toEqual([]);
}

/** Each line is a change that was committed, and each change since is a line. */
async function expectEachChangeOnce(server: OwnPostgres, lines: readonly Line[], since: string): Promise<void> {
  const history = await server.query<{ what: string; later: boolean }>(
    `SELECT concat_ws(' ', op, tbl, id, rev) AS what, lsn > $1::pg_lsn AS later FROM history WHERE op <> 't' ORDER BY n`,
    [since],
  );
  const committed = new Set(history.map(({ what }) => what));
  const streamed = lines
    .filter(({ op }) => /[cud]/.test(op))
    .map(({ op, table, key, before, after }) => {
      // Without full identity a delete says only which row it was.
      const rev = (after ?? before)?.['rev'];
      return rev === undefined ? null : `${op} ${table} ${key.id} ${String(rev)}`;
    });
  const known = streamed.filter((what) => what !== null);
  expect(new Set(known).size, 'changes that are there twice').toBe(known.length);
  expect(
    known.filter((what) => !committed.has(what)),
    'changes that were never made',
  ).toEqual([]);
  const seen = new Set(known);
  const missing = history.filter(({ what, later }) => later && !seen.has(what) && !what.startsWith('d customers')).map(({ what }) => what);
  expect(missing, 'changes that are lost').toEqual([]);
}

/** An update that does not send every column changes the row that is there; where none is, its row has yet to be read. */
function replayed(lines: readonly Line[], table: string): Row[] {
  const rows = new Map<unknown, Row>();
  for (const { op, table: of, key, before, after } of lines) {
    if (of !== table) continue;
    if (op === 't') rows.clear();
    const oldId = before?.['id'] ?? key?.id,
      old = rows.get(oldId);
    if (op === 'd' || before !== undefined) rows.delete(oldId);
    if (after === undefined || (Object.keys(after).length < WIDTH && old === undefined)) continue;
    rows.set(after['id'], { ...old, ...after });
  }
  return [...rows.values()].sort((a, b) => (a['id'] as number) - (b['id'] as number));
}

/** The first few that differ: the rows themselves would fill pages. */
function expectSameRows(actual: readonly Row[], wanted: readonly Row[], what: string): void {
  const textOf = (row: Row): string => {
    const { id, name, credit, rev, note } = row;
    return JSON.stringify({ id, name, credit, rev, note: typeof note === 'string' ? `${note.length} ${note.slice(0, 12)}` : note });
  };
  const there = new Set(actual.map(textOf)),
    should = new Set(wanted.map(textOf));
  expect(
    {
      missing: [...should].filter((row) => !there.has(row)).slice(0, 10),
      wrong: [...there].filter((row) => !should.has(row)).slice(0, 10),
      rows: actual.length,
    },
    what,
  ).toEqual({ missing: [], wrong: [], rows: wanted.length });
}
