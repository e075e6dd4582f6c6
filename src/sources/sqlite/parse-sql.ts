// Reads expressions out of CREATE texts: SQLite's pragmas tell neither those of indexes nor those of generated columns.
// Pure. https://www.sqlite.org/lang_createindex.html, https://www.sqlite.org/gencol.html

export interface IndexText {
  /** One per indexed term, without collation and direction. */
  readonly terms: readonly string[];
  /** The condition of a partial index; `null` when it has none. */
  readonly where: string | null;
}

/**
 * | text | terms | where |
 * |---|---|---|
 * | `CREATE UNIQUE INDEX i ON t(a, lower(b) DESC)` | `a`, `lower(b)` | |
 * | `CREATE UNIQUE INDEX i ON t(a COLLATE nocase) WHERE b = ')'` | `a` | `b = ')'` |
 */
export function parseIndexSql(sql: string): IndexText {
  const { parts, rest } = splitList(tokenize(sql));
  const where = rest[0]?.text.toUpperCase() === 'WHERE' ? rest[1] : undefined;
  return {
    terms: parts.map((part) => termOf(sql, part)),
    where: where === undefined ? null : sql.slice(where.at, (rest.at(-1) as Token).end),
  };
}

/** Column name in lower case → the expression that generates it. `CREATE TABLE t (a, b AS (a + 1) STORED)` → `b`: `(a + 1)` */
export function parseGenerated(sql: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of splitList(tokenize(sql)).parts) {
    const as = part.findIndex((t, i) => t.text.toUpperCase() === 'AS' && part[i + 1]?.text === '(');
    const name = part[0],
      open = part[as + 1],
      close = part[closing(part, as + 1)];
    if (as > 0 && name !== undefined && open !== undefined && close !== undefined)
      found.set(bareName(name.text).toLowerCase(), sql.slice(open.at, close.end));
  }
  return found;
}

/** What stands between the first parenthesis and its end, split at commas, and what follows. */
function splitList(tokens: readonly Token[]): { parts: Token[][]; rest: Token[] } {
  const open = tokens.findIndex((t) => t.text === '('),
    end = closing(tokens, open);
  const parts: Token[][] = [];
  let depth = 0,
    start = open + 1;
  for (let i = open; i <= end; i++) {
    const text = tokens[i]?.text;
    if (text === '(') depth++;
    else if (text === ')') depth--;
    if (i === end || (text === ',' && depth === 1)) {
      parts.push(tokens.slice(start, i));
      start = i + 1;
    }
  }
  return { parts, rest: tokens.slice(end + 1) };
}

/** Where the parenthesis at `open` is closed. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    if (tokens[i]?.text === '(') depth++;
    else if (tokens[i]?.text === ')' && --depth === 0) return i;
  }
  return tokens.length;
}

function bareName(text: string): string {
  const quote = text[0] ?? '';
  if (quote === '[') return text.slice(1, -1);
  return '"`\''.includes(quote) ? text.slice(1, -1).replaceAll(quote + quote, quote) : text;
}

interface Token {
  readonly text: string;
  readonly at: number;
  readonly end: number;
}

/** Comments, strings, quoted names, words and numbers, single characters. */
const TOKEN = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\p{L}\p{N}_$]+|[^\s]/gu;

function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const match of sql.matchAll(TOKEN)) {
    const text = match[0];
    if (!text.startsWith('--') && !text.startsWith('/*')) tokens.push({ text, at: match.index, end: match.index + text.length });
  }
  return tokens;
}

function termOf(sql: string, tokens: Token[]): string {
  const words = tokens.map((t) => t.text.toUpperCase());
  let end = words.length;
  if (words[end - 1] === 'ASC' || words[end - 1] === 'DESC') end--;
  if (words[end - 2] === 'COLLATE') end -= 2;
  const first = tokens[0],
    last = tokens[end - 1];
  return first === undefined || last === undefined ? '' : sql.slice(first.at, last.end);
}
