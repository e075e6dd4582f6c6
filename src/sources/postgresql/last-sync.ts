// `:last_sync` in a query of the configuration becomes a bound value: its text is never put into the SQL. Pure.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html

/** What may hold the letters without meaning them: strings, quoted names, comments (they nest one level here), casts. */
const TOKEN =
  /(?<skip>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>[A-Za-z_]\w*|)\$[\s\S]*?\$\k<tag>\$|--[^\n]*|\/\*(?:[^*/]|\*(?!\/)|\/(?!\*)|\/\*[\s\S]*?\*\/)*\*\/|::)|:last_sync\b/g;

export interface BoundQuery {
  /** With `$1` where `:last_sync` stood, and without the semicolon at its end. */
  readonly sql: string;
  readonly hasLastSync: boolean;
  /** Without comments, and with empty strings: for a look at its words. */
  readonly bare: string;
}

export function bindLastSync(query: string): BoundQuery {
  let hasLastSync = false;
  const sql = query.replace(TOKEN, (token) => {
    if (token !== ':last_sync') return token;
    hasLastSync = true;
    return '$1';
  });
  const bare = query.replace(TOKEN, (token) => (/^(?:[:"])/.test(token) ? token : /^(?:--|\/\*)/.test(token) ? ' ' : "''"));
  return { sql: sql.replace(/[\s;]+$/, ''), hasLastSync, bare };
}

/** The column that the query compares with `:last_sync`; `null`: it is not to be seen. */
export function comparedColumn(query: string): string | null {
  const [, quoted, plain] = /(?:"((?:[^"]|"")+)"|([A-Za-z_]\w*))\s*>=?\s*:last_sync\b/.exec(bindLastSync(query).bare) ?? [];
  return quoted?.replaceAll('""', '"') ?? plain?.toLowerCase() ?? null;
}

/** Pages are cut by us: with a limit of its own, a query that gives the same first rows for ever would never get on. */
export function hasOwnLimit(query: string): boolean {
  const { bare } = bindLastSync(query);
  let depth = 0;
  for (const [word] of bare.replace(/"(?:[^"]|"")*"/g, ' ').matchAll(/[()]|\b(?:limit|offset|fetch)\b/gi)) {
    if (word === '(') depth++;
    else if (word === ')') depth--;
    else if (depth === 0) return true;
  }
  return false;
}
