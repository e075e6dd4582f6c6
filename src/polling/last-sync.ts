// `:last_sync` in a query of the configuration is a value: what stands for it is bound, or written as a literal, and never mistaken for
// letters of a string, a name or a comment. Pure.

/** How SQL of a system is read. */
export interface Dialect {
  /** What may hold the letters without meaning them, as `skip`, or `:last_sync` itself. Global. */
  readonly token: RegExp;
  /** Around names. */
  readonly quote: '"' | '`';
  /** Names without quotes are written in small letters. */
  readonly folds: boolean;
}

/** Comments nest one level here. https://www.postgresql.org/docs/current/sql-syntax-lexical.html */
export const POSTGRESQL: Dialect = {
  token:
    /(?<skip>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>[A-Za-z_]\w*|)\$[\s\S]*?\$\k<tag>\$|--[^\n]*|\/\*(?:[^*/]|\*(?!\/)|\/(?!\*)|\/\*[\s\S]*?\*\/)*\*\/|::)|:last_sync\b/g,
  quote: '"',
  folds: true,
};

/** Without ANSI_QUOTES and NO_BACKSLASH_ESCAPES, as our sessions are. https://dev.mysql.com/doc/refman/8.4/en/comments.html */
export const MYSQL: Dialect = {
  token:
    /(?<skip>'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`]|``)*`|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)|:last_sync\b/g,
  quote: '`',
  folds: false,
};

export interface SplitQuery {
  /** What stands around each `:last_sync`, without the semicolon at its end. */
  readonly parts: readonly string[];
  readonly hasLastSync: boolean;
  /** Without comments, and with empty strings: for a look at its words. */
  readonly bare: string;
}

export function splitLastSync(query: string, { token, quote }: Dialect): SplitQuery {
  const parts: string[] = [];
  let from = 0;
  for (const { 0: found, index } of query.matchAll(token)) {
    if (found !== ':last_sync') continue;
    parts.push(query.slice(from, index));
    from = index + found.length;
  }
  parts.push(query.slice(from).replace(/[\s;]+$/, ''));
  const bare = query.replace(token, (text) => {
    if (text.startsWith(':') || text.startsWith(quote)) return text;
    return /^(?:--|\/\*|#)/.test(text) ? ' ' : "''";
  });
  return { parts, hasLastSync: parts.length > 1, bare };
}

const COMPARED: Readonly<Record<Dialect['quote'], RegExp>> = {
  '"': /(?:"((?:[^"]|"")+)"|([A-Za-z_]\w*))\s*>=?\s*:last_sync\b/,
  '`': /(?:`((?:[^`]|``)+)`|([A-Za-z_$][\w$]*))\s*>=?\s*:last_sync\b/,
};

/** The column that the query compares with `:last_sync`; `null`: it is not to be seen. */
export function comparedColumn(query: string, dialect: Dialect): string | null {
  const { quote, folds } = dialect,
    [, quoted, plain] = COMPARED[quote].exec(splitLastSync(query, dialect).bare) ?? [];
  return quoted?.replaceAll(quote + quote, quote) ?? (folds ? plain?.toLowerCase() : plain) ?? null;
}

/** Pages are cut by us: with a limit of its own, a query that gives the same first rows for ever would never get on. */
export function hasOwnLimit(query: string, dialect: Dialect): boolean {
  const quoted = dialect.quote === '"' ? /"(?:[^"]|"")*"/g : /`(?:[^`]|``)*`/g;
  let depth = 0;
  for (const [word] of splitLastSync(query, dialect)
    .bare.replace(quoted, ' ')
    .matchAll(/[()]|\b(?:limit|offset|fetch)\b/gi)) {
    if (word === '(') depth++;
    else if (word === ')') depth--;
    else if (depth === 0) return true;
  }
  return false;
}
