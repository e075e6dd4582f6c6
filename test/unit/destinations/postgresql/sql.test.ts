import { describe, expect, it } from 'vitest';
import {
  deleteStatement,
  insertFromStage,
  insertStatement,
  moveStatements,
  patchStatement,
  stageColumns,
} from '../../../../src/destinations/postgresql/sql.ts';
import type { TargetColumn, TargetTable } from '../../../../src/destinations/postgresql/target-table.ts';
import { keyColumns } from '../../../../src/relational/table.ts';

const column = (name: string, type: string, more: Partial<TargetColumn> = {}): TargetColumn => ({
  name,
  type,
  kind: 'text',
  bulk: true,
  length: null,
  fraction: null,
  precision: null,
  domain: false,
  caseless: false,
  padded: false,
  element: null,
  generated: false,
  identity: 'none',
  ...more,
});

const columns = [
  column('id', 'bigint'),
  column('na"me', 'character varying'),
  column('mood', 'public.mood', { bulk: false }),
  column('extra', 'text'),
  column('computed', 'text', { generated: true }),
];
const table: TargetTable = {
  schema: 'public',
  name: 'my "orders"',
  place: '',
  columns,
  key: ['id'],
  truncatable: true,
  byName: new Map(columns.map((c) => [c.name, c])),
};
const sent = columns.slice(0, 3);
const NAME = '"public"."my ""orders"""';

describe('inserts', () => {
  const head = `INSERT INTO ${NAME} ("id", "na""me", "mood") SELECT v.c0, v.c1, v.c2::public.mood FROM unnest($1::bigint[], $2::character varying[], $3::text[]) AS v(c0, c1, c2)`;
  const set = 'DO UPDATE SET "na""me" = excluded."na""me", "mood" = excluded."mood"';
  it.each([
    ['upsert', `${head} ON CONFLICT ("id") ${set}`],
    ['replace', `${head} ON CONFLICT ("id") ${set}, "extra" = DEFAULT`],
    ['ignore', `${head} ON CONFLICT ("id") DO NOTHING`],
    ['none', head],
  ] as const)('%s', (conflict, text) => {
    expect(insertStatement(table, sent, conflict)).toBe(text);
  });

  it('do nothing about a row of which they have the key only', () => {
    expect(insertStatement(table, columns.slice(0, 1), 'upsert')).toMatch(/ON CONFLICT \("id"\) DO NOTHING$/);
  });

  it('give identity columns their values', () => {
    expect(insertStatement(table, [column('id', 'bigint', { identity: 'always' })], 'ignore')).toContain('OVERRIDING SYSTEM VALUE');
  });

  it('read from the table that COPY filled', () => {
    expect(stageColumns(sent)).toBe('c0 bigint, c1 character varying, c2 text');
    expect(insertFromStage(table, sent, 'none', 'pg_temp.stage')).toBe(
      `INSERT INTO ${NAME} ("id", "na""me", "mood") SELECT v.c0, v.c1, v.c2::public.mood FROM pg_temp.stage AS v`,
    );
  });
});

describe('other statements', () => {
  it('delete by key', () => {
    expect(deleteStatement(table, keyColumns(table))).toBe(
      `DELETE FROM ${NAME} AS t USING unnest($1::bigint[]) AS v(c0) WHERE t."id" = v.c0`,
    );
  });

  it('patch the present columns and say which rows were there', () => {
    expect(patchStatement(table, keyColumns(table), sent.slice(1))).toBe(
      `UPDATE ${NAME} AS t SET "na""me" = v.c1, "mood" = v.c2::public.mood FROM unnest($1::bigint[], $2::character varying[], $3::text[], $4::int[]) AS v(c0, c1, c2, c3) WHERE t."id" = v.c0 RETURNING v.c3 AS n`,
    );
    expect(patchStatement(table, keyColumns(table), [])).toMatch(/^SELECT v\.c1 AS n FROM/);
  });

  it('move a row and clear the way for it', () => {
    expect(moveStatements(table, keyColumns(table), sent.slice(0, 2), true)).toEqual({
      clear: `DELETE FROM ${NAME} AS t WHERE t."id" = $1::text::bigint AND NOT (t."id" = $2::text::bigint) AND EXISTS (SELECT 1 FROM ${NAME} AS o WHERE o."id" = $2::text::bigint)`,
      move: `UPDATE ${NAME} AS t SET "id" = $1::text::bigint, "na""me" = $2::text::character varying, "mood" = DEFAULT, "extra" = DEFAULT WHERE t."id" = $3::text::bigint`,
    });
  });
});
