import { describe, expect, it } from 'vitest';
import { bindLastSync, comparedColumn, hasOwnLimit } from '../../../../src/sources/postgresql/last-sync.ts';

describe(':last_sync in a query', () => {
  it.each([
    ['SELECT * FROM a WHERE x > :last_sync;\n', 'SELECT * FROM a WHERE x > $1'],
    ['SELECT x FROM a WHERE x > :last_sync OR y >= :last_sync', 'SELECT x FROM a WHERE x > $1 OR y >= $1'],
    ['SELECT x FROM a WHERE x > :last_sync::timestamptz', 'SELECT x FROM a WHERE x > $1::timestamptz'],
  ])('is bound: %s', (query, sql) => {
    expect(bindLastSync(query)).toMatchObject({ sql, hasLastSync: true });
  });

  it.each([
    "SELECT ':last_sync' AS x",
    "SELECT 'it''s :last_sync'",
    "SELECT e'\\' :last_sync'",
    'SELECT ":last_sync" FROM a',
    'SELECT 1 -- :last_sync',
    'SELECT /* :last_sync /* :last_sync */ :last_sync */ 1',
    'SELECT $$ :last_sync $$, $tag$ $$ :last_sync $tag$',
    'SELECT x::last_sync FROM a',
    'SELECT :last_syncs',
  ])('is left alone where it means something else: %s', (query) => {
    expect(bindLastSync(query)).toMatchObject({ sql: query, hasLastSync: false });
  });
});

describe('the compared column', () => {
  it.each([
    ['SELECT * FROM a WHERE created_at > :last_sync', 'created_at'],
    ['SELECT * FROM a WHERE a.Created_At >= :last_sync', 'created_at'],
    ['SELECT * FROM a WHERE a."When ""now""" > :last_sync', 'When "now"'],
    ["SELECT * FROM a WHERE ':x' > :last_sync", null],
    ['SELECT * FROM a', null],
    ['SELECT * FROM a -- x > :last_sync', null],
  ])('of %s', (query, column) => {
    expect(comparedColumn(query)).toBe(column);
  });
});

describe('a limit of the query itself', () => {
  it.each([
    ['SELECT x FROM a LIMIT 10', true],
    ['SELECT x FROM a ORDER BY x FETCH FIRST ROW ONLY', true],
    ['SELECT x FROM a OFFSET 5', true],
    ['SELECT x FROM a, LATERAL (SELECT y FROM b LIMIT 1) AS b', false],
    ['SELECT \'limit\' AS "limit", limit_x FROM a -- limit', false],
  ])('%s', (query, expected) => {
    expect(hasOwnLimit(query)).toBe(expected);
  });
});
