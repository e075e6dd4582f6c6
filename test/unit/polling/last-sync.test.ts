import { describe, expect, it } from 'vitest';
import { comparedColumn, hasOwnLimit, MYSQL, POSTGRESQL, splitLastSync } from '../../../src/polling/last-sync.ts';

const DIALECTS = { postgresql: POSTGRESQL, mysql: MYSQL } as const;
type Name = keyof typeof DIALECTS;

describe(':last_sync in a query', () => {
  it.each<[Name, string, string]>([
    ['postgresql', 'SELECT * FROM a WHERE x > :last_sync;\n', 'SELECT * FROM a WHERE x > $1'],
    ['postgresql', 'SELECT x FROM a WHERE x > :last_sync OR y >= :last_sync', 'SELECT x FROM a WHERE x > $1 OR y >= $1'],
    ['postgresql', 'SELECT x FROM a WHERE x > :last_sync::timestamptz', 'SELECT x FROM a WHERE x > $1::timestamptz'],
    ['mysql', 'SELECT * FROM a WHERE x > :last_sync;\n', 'SELECT * FROM a WHERE x > $1'],
    ['mysql', "SELECT 'it\\'s', x--1 FROM a WHERE x > :last_sync # now", "SELECT 'it\\'s', x--1 FROM a WHERE x > $1 # now"],
  ])('is a value (%s): %s', (name, query, sql) => {
    const { parts, hasLastSync } = splitLastSync(query, DIALECTS[name]);
    expect([parts.join('$1'), hasLastSync]).toEqual([sql, true]);
  });

  it.each<[Name, string]>([
    ['postgresql', "SELECT ':last_sync' AS x"],
    ['postgresql', "SELECT 'it''s :last_sync'"],
    ['postgresql', "SELECT e'\\' :last_sync'"],
    ['postgresql', 'SELECT ":last_sync" FROM a'],
    ['postgresql', 'SELECT 1 -- :last_sync'],
    ['postgresql', 'SELECT /* :last_sync /* :last_sync */ :last_sync */ 1'],
    ['postgresql', 'SELECT $$ :last_sync $$, $tag$ $$ :last_sync $tag$'],
    ['postgresql', 'SELECT x::last_sync FROM a'],
    ['postgresql', 'SELECT :last_syncs'],
    ['mysql', "SELECT ':last_sync' AS x"],
    ['mysql', "SELECT 'it\\' :last_sync', 'it''s :last_sync'"],
    ['mysql', 'SELECT "a \\" :last_sync" AS x'],
    ['mysql', 'SELECT `:last_sync` FROM a'],
    ['mysql', 'SELECT 1 -- :last_sync'],
    ['mysql', 'SELECT 1 # :last_sync'],
    ['mysql', 'SELECT /* :last_sync */ 1'],
    ['mysql', 'SELECT :last_syncs'],
  ])('is left alone where it means something else (%s): %s', (name, query) => {
    expect(splitLastSync(query, DIALECTS[name])).toMatchObject({ parts: [query], hasLastSync: false });
  });
});

describe('the compared column', () => {
  it.each<[Name, string, string | null]>([
    ['postgresql', 'SELECT * FROM a WHERE created_at > :last_sync', 'created_at'],
    ['postgresql', 'SELECT * FROM a WHERE a.Created_At >= :last_sync', 'created_at'],
    ['postgresql', 'SELECT * FROM a WHERE a."When ""now""" > :last_sync', 'When "now"'],
    ['postgresql', "SELECT * FROM a WHERE ':x' > :last_sync", null],
    ['postgresql', 'SELECT * FROM a', null],
    ['postgresql', 'SELECT * FROM a -- x > :last_sync', null],
    ['mysql', 'SELECT * FROM a WHERE a.Created_At >= :last_sync', 'Created_At'],
    ['mysql', 'SELECT * FROM a WHERE a.`When ``now```> :last_sync', 'When `now`'],
    ['mysql', 'SELECT * FROM a WHERE "x" > :last_sync', null],
    ['mysql', 'SELECT * FROM a # x > :last_sync', null],
  ])('of %s: %s', (name, query, column) => {
    expect(comparedColumn(query, DIALECTS[name])).toBe(column);
  });
});

describe('a limit of the query itself', () => {
  it.each<[Name, string, boolean]>([
    ['postgresql', 'SELECT x FROM a LIMIT 10', true],
    ['postgresql', 'SELECT x FROM a ORDER BY x FETCH FIRST ROW ONLY', true],
    ['postgresql', 'SELECT x FROM a OFFSET 5', true],
    ['postgresql', 'SELECT x FROM a, LATERAL (SELECT y FROM b LIMIT 1) AS b', false],
    ['postgresql', 'SELECT \'limit\' AS "limit", limit_x FROM a -- limit', false],
    ['mysql', 'SELECT x FROM a LIMIT 10, 5', true],
    ['mysql', 'SELECT x, (SELECT y FROM b LIMIT 1) AS b FROM a', false],
    ['mysql', "SELECT 'limit' AS `limit`, limit_x FROM a # limit", false],
  ])('%s: %s', (name, query, expected) => {
    expect(hasOwnLimit(query, DIALECTS[name])).toBe(expected);
  });
});
