// What a DDL says of columns and keys in its own words: defaults, comments, and types that the catalog spells differently (BOOLEAN). The
// catalog knows only what is so now, perhaps several statements later. Read without a grammar: what is not understood is not there.

/** A column as a statement defines it. */
export interface ColumnWords {
  readonly name: string;
  /** The name before, of CHANGE and RENAME. */
  readonly before: string | null;
  /** In lower case, with its length: `varchar(20)`; `null`: the statement says nothing of it. */
  readonly type: string | null;
  /** As SQL; `null`: none, `undefined`: nothing is said. */
  readonly defaultSql: string | null | undefined;
  readonly comment: string | undefined;
}

export interface TableWords {
  readonly isCreate: boolean;
  readonly columns: readonly ColumnWords[];
  readonly dropsPrimaryKey: boolean;
  /** Columns of unique keys that are made, in order. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** An index goes, or it is that of another table: which one is the key is not known. */
  readonly dropsIndex: boolean;
}

const TOKEN =
  /\/\*(?!M?!)[\s\S]*?\*\/|--[\s][^\n]*|#[^\n]*|`(?:[^`]|``)*`|(?:[xbn]|_[a-z0-9]+\s*)?'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|[\w$.\u0080-\uffff]+|\/\*M?!\d*|\*\/|[^\s]/gi;
const COMMENT = /^(?:\/\*|\*\/|--|#)/;

function tokensOf(sql: string): string[] {
  const tokens = (sql.match(TOKEN) ?? []).filter((token) => !COMMENT.test(token));
  if (!isWord(tokens[0], 'SET') || !isWord(tokens[1], 'STATEMENT')) return tokens;
  let depth = 0;
  const end = tokens.findIndex((token) => {
    if (token === '(') depth++;
    if (token === ')') depth--;
    return depth === 0 && isWord(token, 'FOR');
  });
  return end < 0 ? tokens : tokens.slice(end + 1);
}

/** Parts between commas that no parentheses are around. */
function partsOf(tokens: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token === '(') depth++;
    if (token === ')') depth--;
    if (token === ',' && depth === 0) parts.push([]);
    else (parts.at(-1) as string[]).push(token);
  }
  return parts;
}

/** What stands in the parentheses that open at `at`. */
function inside(tokens: readonly string[], at: number): string[] {
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    if (tokens[i] === '(') depth++;
    if (tokens[i] === ')' && --depth === 0) return tokens.slice(at + 1, i);
  }
  return tokens.slice(at + 1);
}

const isWord = (token: string | undefined, ...words: string[]): boolean => token !== undefined && words.includes(token.toUpperCase());

function nameOf(token: string | undefined): string | null {
  if (token === undefined) return null;
  const quote = token[0];
  if (quote === '`' || quote === '"') return token.slice(1, -1).replaceAll(`${quote}${quote}`, quote);
  return /^[\w$\u0080-\uffff]/.test(token) ? token : null;
}

/** `IF EXISTS`, `IF NOT EXISTS`. */
function withoutIf(tokens: readonly string[]): readonly string[] {
  if (!isWord(tokens[0], 'IF')) return tokens;
  return tokens.slice(tokens.findIndex((t) => isWord(t, 'EXISTS')) + 1);
}

const KEY_WORDS = ['PRIMARY', 'KEY', 'INDEX', 'UNIQUE', 'CONSTRAINT', 'FOREIGN', 'CHECK', 'FULLTEXT', 'SPATIAL', 'PERIOD', 'LIKE'];

class Reader {
  readonly columns: ColumnWords[] = [];
  readonly uniqueKeys: string[][] = [];
  dropsPrimaryKey = false;
  dropsIndex = false;

  /** A column or a key, as CREATE TABLE and ADD have them. */
  element(tokens: readonly string[]): void {
    if (isWord(tokens[0], ...KEY_WORDS)) this.#key(tokens);
    else this.column(tokens, null);
  }

  #key(tokens: readonly string[]): void {
    const at = isWord(tokens[0], 'CONSTRAINT') ? (isWord(tokens[1], 'UNIQUE') ? 1 : 2) : 0;
    if (isWord(tokens[at], 'UNIQUE')) this.unique(tokens);
  }

  unique(tokens: readonly string[]): void {
    const names = partsOf(inside(tokens, tokens.indexOf('('))).map(([first]) => nameOf(first));
    if (names.every((name) => name !== null)) this.uniqueKeys.push(names as string[]);
  }

  column(tokens: readonly string[], before: string | null): void {
    const name = nameOf(tokens[0]);
    if (name === null || tokens.length < 2) return;
    const rest = tokens.slice(1);
    this.columns.push({ name, before, type: typeOf(rest), defaultSql: defaultOf(rest), comment: commentOf(rest) });
    // The word KEY alone is the primary one.
    if (rest.some((t) => isWord(t, 'UNIQUE'))) this.uniqueKeys.push([name]);
  }

  /** A part of ALTER TABLE. */
  change(tokens: readonly string[]): void {
    const [verb, ...all] = tokens,
      rest = withoutIf(isWord(all[0], 'COLUMN') ? all.slice(1) : all);
    if (isWord(verb, 'ADD')) {
      if (rest[0] === '(') for (const part of partsOf(inside(rest, 0))) this.element(part);
      else this.element(rest);
    } else if (isWord(verb, 'MODIFY')) this.column(rest, null);
    else if (isWord(verb, 'CHANGE')) this.column(rest.slice(1), nameOf(rest[0]));
    else if (isWord(verb, 'ALTER')) this.#alter(rest);
    else if (isWord(verb, 'RENAME') && isWord(all[0], 'COLUMN')) this.#rename(rest);
    else if (isWord(verb, 'DROP') && isWord(all[0], 'PRIMARY')) this.dropsPrimaryKey = true;
    else if (isWord(verb, 'DROP') && isWord(all[0], 'INDEX', 'KEY', 'CONSTRAINT')) this.dropsIndex = true;
  }

  #alter(tokens: readonly string[]): void {
    const name = nameOf(tokens[0]);
    if (name === null || !isWord(tokens[1], 'SET', 'DROP') || !isWord(tokens[2], 'DEFAULT')) return;
    const defaultSql = isWord(tokens[1], 'SET') ? defaultOf(tokens.slice(2)) : null;
    this.columns.push({ name, before: null, type: null, defaultSql, comment: undefined });
  }

  #rename(tokens: readonly string[]): void {
    const before = nameOf(tokens[0]),
      name = nameOf(tokens[2]);
    if (before !== null && name !== null) this.columns.push({ name, before, type: null, defaultSql: undefined, comment: undefined });
  }
}

/** `varchar ( 20 ) …` → `varchar(20)`. */
function typeOf(tokens: readonly string[]): string {
  const [word = ''] = tokens,
    next = tokens[1] === '(' ? `(${inside(tokens, 1).join('')})` : '',
    signs = tokens.filter((t) => isWord(t, 'UNSIGNED', 'ZEROFILL'));
  return [word + next, ...signs].join(' ').toLowerCase();
}

function defaultOf(tokens: readonly string[]): string | null {
  const at = tokens.findIndex((t) => isWord(t, 'DEFAULT'));
  if (at < 0) return null;
  const [first = '', second = ''] = tokens.slice(at + 1);
  if (isWord(first, 'NULL')) return null;
  if (first === '-' || first === '+') return first + second;
  // `1.5` is a word, `1e-10` is not one.
  if (/^[\d.]+e$/i.test(first)) return first + second + (tokens[at + 3] ?? '');
  const isCall = second === '(',
    list = isCall || first === '(' ? inside(tokens, at + (isCall ? 2 : 1)).join(' ') : '';
  if (first === '(') return `(${list})`;
  return isCall ? `${first}(${list})` : first;
}

function commentOf(tokens: readonly string[]): string | undefined {
  const at = tokens.findIndex((t) => isWord(t, 'COMMENT')),
    text = at < 0 ? undefined : tokens[at + 1];
  return text === undefined || !/^['"]/.test(text) ? undefined : text.slice(1, -1).replaceAll("''", "'").replaceAll(/\\(.)/gs, '$1');
}

/** `null`: it is none that says something of columns. */
export function tableWords(sql: string): TableWords | null {
  const tokens = tokensOf(sql),
    reader = new Reader(),
    isCreate = isWord(tokens[0], 'CREATE');
  const index = tokens.findIndex((t) => isWord(t, 'INDEX')),
    table = tokens.findIndex((t) => isWord(t, 'TABLE'));
  if (table > 0 && table < 5) {
    if (isCreate) {
      const open = tokens.indexOf('(', table);
      const head = open < 0 ? tokens.slice(table) : tokens.slice(table, open + 2);
      // Made of another table: the columns and keys are those of that.
      if (head.some((t) => isWord(t, 'LIKE', 'SELECT', 'AS'))) reader.dropsIndex = true;
      else for (const part of partsOf(inside(tokens, open))) reader.element(part);
    } else if (isWord(tokens[0], 'ALTER')) alter(reader, tokens.slice(table + 1));
    else return null;
  } else if (index > 0 && index < 5) {
    if (!isCreate) reader.dropsIndex = true;
    else if (tokens.slice(0, index).some((t) => isWord(t, 'UNIQUE'))) reader.unique(tokens);
  } else return null;
  const { columns, dropsPrimaryKey, uniqueKeys, dropsIndex } = reader;
  return { isCreate: isCreate && table > 0, columns, dropsPrimaryKey, uniqueKeys, dropsIndex };
}

function alter(reader: Reader, tokens: readonly string[]): void {
  let rest = withoutIf(tokens);
  // The name of the table: `db`.`t`, db.`t`, `db`.t.
  rest = rest.slice(rest[0]?.endsWith('.') ? 2 : 1);
  if (rest[0] === '.') rest = rest.slice(2);
  else if (rest[0]?.startsWith('.')) rest = rest.slice(1);
  if (isWord(rest[0], 'WAIT')) rest = rest.slice(2);
  else if (isWord(rest[0], 'NOWAIT')) rest = rest.slice(1);
  for (const part of partsOf(rest)) reader.change(part);
}
