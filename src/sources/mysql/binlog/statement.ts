// What a statement of the log is about: its kind and the tables it names. Only that is read, no grammar: a statement that is not
// understood is `other`, a DDL whose tables are not has none.

export interface TableName {
  /** Of the statement, or the one it ran in; empty for none. */
  readonly database: string;
  readonly table: string;
}

export interface RowsMoved {
  readonly gains: readonly TableName[];
  readonly losses: readonly TableName[];
}

export type Statement =
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'xa_start' | 'xa_end' | 'xa_commit' | 'xa_rollback' | 'other' }
  | {
      readonly kind: 'ddl';
      /** `index`: one is made or goes, by a statement of its own. */
      readonly verb: 'create' | 'alter' | 'drop' | 'rename' | 'truncate' | 'index';
      /** Empty: they could not be read, it may be any table. */
      readonly tables: readonly TableName[];
      /** New names, one per table, of RENAME TABLE and ALTER TABLE … RENAME; else empty. */
      readonly renamedTo: readonly TableName[];
      readonly temporary: boolean;
      /** CREATE OR REPLACE: a table of that name goes first. */
      readonly replaces?: true;
      /** Rows came or went with whole partitions or files, of which the log has none. */
      readonly moved?: RowsMoved;
    }
  | { readonly kind: 'drop_database'; readonly database: string }
  /** A change logged as a statement. `table`: the only one it names, triggers apart; `null`: unknown, or more than one. */
  | { readonly kind: 'change'; readonly verb: string; readonly table: TableName | null };

/** Statements end in texts of any length; what is looked at is at their beginning. */
const LOOKED_AT = 1 << 20;
const WORD = /[\w$\u0080-\uffff]/;
const EXECUTABLE = /^\/\*M?!\d{0,6}/;

/** Words, quoted names, and single characters, without comments. Texts in quotes are one token `'`. */
class Tokens {
  readonly #sql: string;
  readonly #end: number;
  #at = 0;
  /** The token read last; empty at the end. In upper case, but for names in quotes. */
  token = '';
  /** The same as it is written, without its quotes. */
  name = '';
  /** A word or a quoted name. */
  isName = false;

  constructor(sql: string) {
    this.#sql = sql;
    this.#end = Math.min(sql.length, LOOKED_AT);
    this.next();
  }

  /** From the beginning. */
  again(): Tokens {
    return new Tokens(this.#sql);
  }

  next(): string {
    this.#skipBlanks();
    const start = this.#at,
      c = this.#sql[start] ?? '';
    this.isName = false;
    if (start >= this.#end) return this.#set('', '');
    if (c === '`' || c === '"') {
      this.name = this.#quoted(c);
      this.isName = true;
      this.token = c;
      return c;
    }
    if (c === "'") {
      this.#quoted(c);
      return this.#set(c, '');
    }
    if (!WORD.test(c)) {
      this.#at++;
      return this.#set(c, c);
    }
    while (this.#at < this.#end && WORD.test(this.#sql[this.#at] as string)) this.#at++;
    const word = this.#sql.slice(start, this.#at);
    this.isName = true;
    return this.#set(word.toUpperCase(), word);
  }

  #set(token: string, name: string): string {
    this.token = token;
    this.name = name;
    return token;
  }

  /** Is it this word? Then it is read. */
  accept(...words: string[]): boolean {
    if (!words.includes(this.token)) return false;
    this.next();
    return true;
  }

  /** Blanks and comments; what stands in `/*! … *\/` is executed, so only its marks are passed over. */
  #skipBlanks(): void {
    const sql = this.#sql;
    for (; this.#at < this.#end; ) {
      const c = sql.charCodeAt(this.#at),
        two = sql.slice(this.#at, this.#at + 2);
      if (c <= 0x20 || c === 0xa0) this.#at++;
      else if (two === '*/') this.#at += 2;
      else if (two === '/*') {
        const executable = EXECUTABLE.exec(sql.slice(this.#at, this.#at + 12));
        if (executable !== null) this.#at += executable[0].length;
        else this.#skipTo('*/', this.#at + 2);
      } else if (c === 0x23 || (two === '--' && !(sql.charCodeAt(this.#at + 2) > 0x20))) this.#skipTo('\n', this.#at);
      else return;
    }
  }

  #skipTo(mark: string, from: number): void {
    const found = this.#sql.indexOf(mark, from);
    this.#at = found < 0 ? this.#end : found + mark.length;
  }

  /** A doubled quote is one of its text; a backslash escapes in texts, not in names. */
  #quoted(quote: string): string {
    let text = '';
    for (let i = this.#at + 1; i < this.#end; i++) {
      const c = this.#sql[i] as string;
      if (c === '\\' && quote !== '`') {
        text += this.#sql[++i] ?? '';
      } else if (c !== quote) text += c;
      else if (this.#sql[i + 1] === quote) {
        text += quote;
        i++;
      } else {
        this.#at = i + 1;
        return text;
      }
    }
    this.#at = this.#end;
    return text;
  }
}

/** `database`: where the statement ran. */
export function readStatement(sql: string, database: string): Statement {
  const tokens = new Tokens(sql),
    verb = verbOf(tokens);
  switch (verb) {
    case 'BEGIN':
      return { kind: 'begin' };
    case 'START':
      return { kind: tokens.token === 'TRANSACTION' ? 'begin' : 'other' };
    case 'COMMIT':
      return { kind: 'commit' };
    case 'ROLLBACK':
      return { kind: isSavepoint(tokens) ? 'savepoint' : 'rollback' };
    case 'SAVEPOINT':
    case 'RELEASE':
      return { kind: 'savepoint' };
    case 'XA':
      return xa(tokens);
    case 'CREATE':
    case 'ALTER':
    case 'DROP':
    case 'RENAME':
    case 'TRUNCATE':
      return definition(tokens, verb, database);
    case 'INSERT':
    case 'REPLACE':
    case 'UPDATE':
    case 'DELETE':
    case 'LOAD':
    case 'CALL':
    case 'DO':
    case 'WITH':
    case 'SELECT':
      return change(tokens, verb, database);
    default:
      return { kind: 'other' };
  }
}

const CHANGES = new Set(['INSERT', 'REPLACE', 'UPDATE', 'DELETE']);

/** Reads on to what follows it. Of MariaDB's `SET STATEMENT a = 1, b = 2 FOR …` and `ANALYZE …`, which run a statement, that one's. */
function verbOf(tokens: Tokens): string {
  const verb = tokens.token;
  tokens.next();
  if (verb === 'ANALYZE') {
    if (tokens.accept('FORMAT')) for (let n = 0; n < 2; n++) tokens.next();
    return CHANGES.has(tokens.token) ? verbOf(tokens) : verb;
  }
  if (verb !== 'SET' || !tokens.accept('STATEMENT')) return verb;
  for (let depth = 0; tokens.token !== '' && (depth > 0 || tokens.token !== 'FOR'); tokens.next()) {
    if (tokens.token === '(') depth++;
    else if (tokens.token === ')') depth--;
  }
  tokens.next();
  return verbOf(tokens);
}

function isSavepoint(tokens: Tokens): boolean {
  tokens.accept('WORK');
  return tokens.token === 'TO';
}

function xa(tokens: Tokens): Statement {
  const kinds: Readonly<Record<string, Statement>> = {
    START: { kind: 'xa_start' },
    BEGIN: { kind: 'xa_start' },
    END: { kind: 'xa_end' },
    COMMIT: { kind: 'xa_commit' },
    ROLLBACK: { kind: 'xa_rollback' },
  };
  return (Object.hasOwn(kinds, tokens.token) ? kinds[tokens.token] : undefined) ?? { kind: 'other' };
}

/** `db.t`, `t`; `null` when no name stands there. */
function tableName(tokens: Tokens, database: string): TableName | null {
  if (!tokens.isName) return null;
  const first = tokens.name;
  if (tokens.next() !== '.') return { database, table: first };
  tokens.next();
  if (!tokens.isName) return null;
  const table = tokens.name;
  tokens.next();
  return { database: first, table };
}

function definition(tokens: Tokens, verb: string, database: string): Statement {
  const isReplacing = verb === 'CREATE' && tokens.accept('OR');
  if (isReplacing) tokens.accept('REPLACE');
  const temporary = tokens.accept('TEMPORARY');
  while (verb === 'ALTER' && tokens.accept('ONLINE', 'IGNORE'));
  const isTable = tokens.accept('TABLE', 'TABLES');
  if (!isTable && verb === 'DROP' && tokens.accept('DATABASE', 'SCHEMA')) {
    skipIfExists(tokens);
    return tokens.isName ? { kind: 'drop_database', database: tokens.name } : { kind: 'other' };
  }
  if (!isTable && verb !== 'TRUNCATE') return indexOf(tokens, verb, database);
  skipIfExists(tokens);
  const names = { tables: [] as TableName[], renamedTo: [] as TableName[] };
  if (!readNames(tokens, verb, database, names)) {
    names.tables.length = 0;
    names.renamedTo.length = 0;
  }
  const [table] = names.tables,
    moved = verb === 'ALTER' && table !== undefined ? readMoves(tokens.again(), table, database) : null;
  return {
    kind: 'ddl',
    verb: verb.toLowerCase() as 'create',
    ...names,
    temporary,
    ...(isReplacing ? { replaces: true } : {}),
    ...(moved === null ? {} : { moved }),
  };
}

/** Among the changes of ALTER TABLE: `EXCHANGE PARTITION p WITH TABLE x`, `CONVERT PARTITION p TO TABLE x`, `CONVERT TABLE x TO …`. */
function readMoves(tokens: Tokens, table: TableName, database: string): RowsMoved | null {
  const gains: TableName[] = [],
    losses: TableName[] = [];
  /** The name behind the next TABLE. */
  const other = (): TableName[] => {
    while (tokens.token !== '' && tokens.token !== 'TABLE') tokens.next();
    tokens.next();
    const name = tableName(tokens, database);
    return name === null ? [] : [name];
  };
  while (tokens.token !== '') {
    const verb = tokens.token,
      what = tokens.next();
    if (verb === 'EXCHANGE' && what === 'PARTITION') gains.push(table, ...other());
    else if (verb === 'CONVERT' && what === 'PARTITION') {
      losses.push(table);
      gains.push(...other());
    } else if (verb === 'CONVERT' && what === 'TABLE') gains.push(table);
    else if (verb === 'IMPORT' && (what === 'TABLESPACE' || what === 'PARTITION')) gains.push(table);
    else if (verb === 'DISCARD' && (what === 'TABLESPACE' || what === 'PARTITION')) losses.push(table);
    else if ((verb === 'DROP' || verb === 'TRUNCATE') && what === 'PARTITION') losses.push(table);
  }
  return gains.length + losses.length === 0 ? null : { gains, losses };
}

/** `CREATE UNIQUE INDEX i ON t (a)`, `DROP INDEX i ON t`. */
function indexOf(tokens: Tokens, verb: string, database: string): Statement {
  tokens.accept('UNIQUE', 'FULLTEXT', 'SPATIAL');
  if ((verb !== 'CREATE' && verb !== 'DROP') || !tokens.accept('INDEX')) return { kind: 'other' };
  skipIfExists(tokens);
  while (tokens.token !== '' && tokens.token !== 'ON') tokens.next();
  tokens.next();
  const table = tableName(tokens, database);
  return { kind: 'ddl', verb: 'index', tables: table === null ? [] : [table], renamedTo: [], temporary: false };
}

function skipIfExists(tokens: Tokens): void {
  if (!tokens.accept('IF')) return;
  tokens.accept('NOT');
  tokens.accept('EXISTS');
}

interface Names {
  readonly tables: TableName[];
  readonly renamedTo: TableName[];
}

/** `false`: not understood. */
function readNames(tokens: Tokens, verb: string, database: string, names: Names): boolean {
  do {
    const table = tableName(tokens, database);
    if (table === null) return false;
    names.tables.push(table);
    if (verb === 'RENAME' && !readNewName(tokens, database, names)) return false;
  } while ((verb === 'DROP' || verb === 'RENAME') && tokens.accept(','));
  return verb !== 'ALTER' || readAlterRename(tokens, database, names);
}

function readNewName(tokens: Tokens, database: string, names: Names): boolean {
  // MariaDB: RENAME TABLE a WAIT 5 TO b.
  if (tokens.accept('WAIT')) tokens.next();
  else tokens.accept('NOWAIT');
  if (!tokens.accept('TO')) return false;
  const to = tableName(tokens, database);
  if (to !== null) names.renamedTo.push(to);
  return to !== null;
}

const RENAMED_PARTS = new Set(['COLUMN', 'INDEX', 'KEY', 'CONSTRAINT', 'PARTITION']);

/** Somewhere among the changes of ALTER TABLE: `RENAME [TO | AS | =] x`, but not `RENAME COLUMN a TO b`. */
function readAlterRename(tokens: Tokens, database: string, names: Names): boolean {
  while (tokens.token !== '') {
    if (!tokens.accept('RENAME')) {
      tokens.next();
      continue;
    }
    if (RENAMED_PARTS.has(tokens.token)) continue;
    tokens.accept('TO', 'AS', '=');
    const to = tableName(tokens, database);
    if (to === null) return false;
    names.renamedTo.push(to);
    return true;
  }
  return true;
}

const MODIFIERS = ['LOW_PRIORITY', 'DELAYED', 'HIGH_PRIORITY', 'QUICK', 'IGNORE', 'INTO', 'FROM'];
/** What may follow the only table of an UPDATE or DELETE. */
const AFTER_ONLY_TABLE = new Set(['SET', 'WHERE', 'ORDER', 'LIMIT', 'PARTITION', 'RETURNING', ';', '']);

function change(tokens: Tokens, verb: string, database: string): Statement {
  const unknown: Statement = { kind: 'change', verb: verb.toLowerCase(), table: null };
  if (verb === 'LOAD' || verb === 'CALL' || verb === 'DO' || verb === 'WITH' || verb === 'SELECT') return unknown;
  let from = false;
  while (MODIFIERS.includes(tokens.token)) {
    from ||= tokens.token === 'FROM';
    tokens.next();
  }
  if (verb === 'DELETE' && !from) return unknown;
  const table = tableName(tokens, database);
  if ((verb === 'UPDATE' || verb === 'DELETE') && !AFTER_ONLY_TABLE.has(tokens.token)) return unknown;
  return { ...unknown, table };
}
