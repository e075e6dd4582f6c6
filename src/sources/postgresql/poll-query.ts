// A query that is polled: its rows as those of one table, with the types that the server says they have. The query is put into
// a subselect; what is compared with its rows is bound. https://www.postgresql.org/docs/current/sql-declare.html

import { comparedColumn, POSTGRESQL, splitLastSync } from '../../polling/last-sync.ts';
import type { OrderKind } from '../../polling/places.ts';
import type { PollRange } from '../../polling/reader.ts';
import { CdcError, type TableId } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import type { Fields, Session } from './connection.ts';
import { tablePattern } from './names.ts';
import { kindOf, type PollInput, type PollRows, settlesOf, watermarkType } from './poll-input.ts';
import { TEXTS } from './poll-types.ts';
import type { Queries } from './queries.ts';
import { keyOf, ReadRow } from './read-rows.ts';
import type { CatalogShape, SchemaTracker } from './schemas.ts';
import { Catalog, type CatalogTable } from './system-catalog.ts';

const LENGTH_BYTES = 4,
  NULL = Buffer.alloc(LENGTH_BYTES, 0xff);

/** Rows of a FETCH: the first one, and at most; between them as many as fit, by the rows so far. */
const FIRST_FETCH_ROWS = 100,
  MAX_FETCH_ROWS = 1000;

/** `:last_sync` before anything was read: below every value of its type. */
const BEFORE_ALL: Readonly<Record<number, string>> = {
  20: '-9223372036854775808',
  21: '-32768',
  23: '-2147483648',
  26: '0',
  1082: '-infinity',
  1114: '-infinity',
  1184: '-infinity',
  5069: '0',
};

export interface PollQueryOptions {
  readonly query: string;
  /** Of the rows. */
  readonly name: string;
  readonly watermark: PostgresqlSourceConfig['watermark'] | undefined;
  readonly where: string;
  readonly tracker: () => Promise<SchemaTracker>;
}

/** How its rows are ordered. */
interface Order {
  readonly columns: readonly string[];
  readonly kinds: readonly OrderKind[];
  readonly key: readonly string[];
  readonly typeOid: number;
}

export class PollQuery implements PollInput {
  readonly id: TableId;
  readonly order: readonly string[];
  readonly kinds: readonly OrderKind[];
  readonly settles: PollInput['settles'];
  readonly carriesBefore: boolean;
  readonly #o: PollQueryOptions;
  /** The query as a table, with `$1` for `:last_sync`. */
  readonly #from: string;
  readonly #beforeAll: string;
  readonly #key: readonly string[];
  #fields: Fields;
  #shape: CatalogShape | null = null;

  private constructor(options: PollQueryOptions, from: string, hasLastSync: boolean, fields: Fields, order: Order) {
    this.#o = options;
    this.id = idOf(options.name);
    this.order = order.columns;
    this.kinds = order.kinds;
    this.settles = settlesOf(order.typeOid);
    this.carriesBefore = hasLastSync;
    this.#from = from;
    this.#beforeAll = BEFORE_ALL[order.typeOid] ?? '';
    this.#key = order.key;
    this.#fields = fields;
  }

  /** Asks what the query gives, without running it. Throws `SOURCE_MISCONFIGURED` where that cannot be polled. */
  static async open(session: Session, options: PollQueryOptions): Promise<PollQuery> {
    const { parts, hasLastSync } = splitLastSync(options.query, POSTGRESQL),
      // A comment at its end must not take the rest of the line.
      from = `(${parts.join('$1')}\n) AS q`;
    const { fields } = await session.select(`SELECT * FROM ${from} LIMIT 0`, hasLastSync ? [null] : []);
    const { schema, table } = idOf(options.name),
      named = await new Catalog(session).named(schema ?? '', table);
    return new PollQuery(options, from, hasLastSync, fields, await orderOf(session, from, hasLastSync, fields, named, options));
  }

  async catalogTable(): Promise<CatalogTable> {
    return {
      oid: 0,
      schema: this.id.schema ?? '',
      table: this.id.table,
      kind: 'r',
      identity: 'd',
      relfilenode: 0,
      rows: -1,
      columns: this.#fields.map(({ name, typeOid, typmod }) => ({ name, typeOid, typmod, notNull: false, generated: '', default: null })),
      primaryKey: this.#key,
      identityKey: [],
    };
  }

  async newest(queries: Queries, before: string | null): Promise<string | null> {
    const bound = this.#bindings(this.#beforeAll),
      [watermark = '', ...rest] = this.order.map(quoteName),
      texts = [watermark, ...rest].map((c) => `${c}::text`).join(', '),
      // A key that is NULL is refused where its row is read.
      order = [watermark, ...rest].map((c) => `${c} DESC NULLS LAST`).join(', ');
    const readable = `${watermark} IS NOT NULL${before === null ? '' : ` AND ${watermark} < ${bound.add(before)}`}`;
    const { rows } = await queries.query(
      `SELECT json_build_array(${texts})::text AS place FROM ${this.#from} WHERE ${readable} ORDER BY ${order} LIMIT 1`,
      bound.values,
    );
    const place = rows[0]?.['place'];
    return place == null ? null : JSON.stringify(JSON.parse(place));
  }

  /** In one read-only transaction; rows come in portions, so that wide ones do not fill the memory. */
  rows(session: Session, range: PollRange): Promise<PollRows> {
    return session.inSnapshot(null, async () => {
      const shape = await this.#look(session),
        { sql, values } = this.#statement(shape, range);
      await session.select(`DECLARE polled NO SCROLL CURSOR FOR ${sql}`, values);
      const rows: ReadRow[] = [];
      let bytes = 0,
        isEnd = false,
        portion = FIRST_FETCH_ROWS;
      while (!isEnd && rows.length < range.maxRows && bytes < range.maxBytes) {
        const wanted = Math.min(portion, range.maxRows - rows.length),
          found = (await session.select(`FETCH FORWARD ${wanted} FROM polled`)).rows;
        for (const texts of found) {
          const row = rowOf(texts, shape);
          this.#check(row);
          rows.push(row);
          bytes += row.bytes.length;
        }
        isEnd = found.length < wanted;
        const each = bytes / Math.max(1, rows.length);
        portion = Math.max(1, Math.min(MAX_FETCH_ROWS, Math.floor((range.maxBytes - bytes) / (each + 1))));
      }
      return { rows, bytes, end: isEnd };
    });
  }

  /** What its rows are now: a view in it may have changed. Locks what it reads from until the end of the transaction. */
  async #look(session: Session): Promise<CatalogShape> {
    const { fields } = await session.select(`SELECT * FROM ${this.#from} LIMIT 0`, this.carriesBefore ? [null] : []);
    if (this.#shape !== null && JSON.stringify(fields) === JSON.stringify(this.#fields)) return this.#shape;
    this.#fields = fields;
    const shape = await (await this.#o.tracker()).fromCatalog(await this.catalogTable());
    const lacking = this.order.find((name) => shape.layout.indexOf(name) < 0);
    if (lacking !== undefined) throw wrong(`it gives no "${lacking}"`, 'Name the column in the query, and leave it in `columns`.', this.#o);
    this.#shape = shape;
    return shape;
  }

  /** Behind `after`, up to `upTo`, in order. What compares with NULL counts as within: its row is refused, not passed over. */
  #statement({ layout }: CatalogShape, { before, after, lastSync, upTo, maxRows }: PollRange): { sql: string; values: readonly string[] } {
    const bound = this.#bindings(lastSync ?? this.#beforeAll),
      columns = this.order.map(quoteName),
      [watermark = ''] = columns,
      conditions = [`${watermark} IS NOT NULL`];
    const within = (operator: '>' | '<', place: string): void => {
      const values = (JSON.parse(place) as string[]).map((text) => bound.add(text)),
        whole = operator === '>' ? '>' : '<=';
      // The bound of the first column alone lets an index be used.
      conditions.push(`${watermark} ${operator}= ${values[0]}`, `((${columns.join(', ')}) ${whole} (${values.join(', ')})) IS NOT FALSE`);
    };
    if (before !== null) conditions.push(`${watermark} < ${bound.add(before)}`);
    if (after !== null) within('>', after);
    if (upTo !== null) within('<', upTo);
    const sql = `SELECT ${layout.names.map(quoteName).join(', ')} FROM ${this.#from} WHERE ${conditions.join(' AND ')} ORDER BY ${columns.join(', ')} LIMIT ${maxRows}`;
    return { sql, values: bound.values };
  }

  #bindings(lastSync: string): { readonly values: string[]; add(text: string): string } {
    const values = this.carriesBefore ? [lastSync] : [];
    return { values, add: (text) => `$${values.push(text)}` };
  }

  #check(image: ReadRow): void {
    if (keyOf(image, this.order) !== null) return;
    throw new CdcError('SOURCE_DATA_INVALID', `A row of the query has no ${this.order.slice(1).join(' or ') || 'key'}: it is NULL.`, {
      where: this.#o.where,
      fix: 'Leave such rows out in the query, or name other columns in `watermark.key`.',
    });
  }
}

function idOf(name: string): TableId {
  const [, schema = 'public', table = name] = /^((?:[^.\\]|\\.)+)\.(.+)$/.exec(tablePattern(name)) ?? [],
    plain = (text: string): string => text.replaceAll('\\.', '.');
  return { database: null, schema: plain(schema), table: plain(table) };
}

const wrong = (problem: string, fix: string, { where }: Pick<PollQueryOptions, 'where'>): CdcError =>
  new CdcError('SOURCE_MISCONFIGURED', `The query cannot be polled: ${problem}.`, { where, fix });

/** Watermark and key of a query. `named`: the table that has the name of its rows. */
async function orderOf(
  session: Session,
  from: string,
  hasLastSync: boolean,
  fields: Fields,
  named: CatalogTable | null,
  options: PollQueryOptions,
): Promise<Order> {
  const { watermark, query } = options,
    column = watermark?.column ?? comparedColumn(query, POSTGRESQL) ?? '',
    key = watermark?.key === undefined ? keyOfTable(fields, named) : [watermark.key].flat();
  if (key.length === 0) throw wrong('nothing says what its key is', 'Name its columns: `watermark: {key: [id]}`.', options);
  const columns = [...new Set([column, ...key])],
    found = columns.map((name) => {
      const fitting = fields.filter((f) => f.name === name);
      if (fitting.length === 1) return fitting[0] as Fields[number];
      throw wrong(`it gives ${fitting.length === 0 ? 'no' : 'more than one'} column "${name}"`, 'Correct `query` or `watermark`.', options);
    });
  const repeated = fields.find((f, i) => fields.findIndex((other) => other.name === f.name) !== i);
  if (repeated !== undefined) throw wrong(`it gives more than one column "${repeated.name}"`, 'Name one of them with AS.', options);
  const bytewise = await bytewiseOf(session, from, hasLastSync, found),
    kinds = found.map((f, i): OrderKind => kindOf(f.typeOid, bytewise[i] === true)),
    typeOid = found[0]?.typeOid ?? 0,
    type = watermarkType(typeOid, kinds[0]);
  if (type === null || (watermark !== undefined && watermark.type !== type))
    throw wrong(
      `its column "${column}" is ${type === null ? 'nothing that is known to grow' : `no ${watermark?.type}`}`,
      'Correct `watermark.type`; a text needs COLLATE "C".',
      options,
    );
  return { columns, kinds, key, typeOid };
}

/** The primary key of the table, where the query gives its very columns. */
function keyOfTable(fields: Fields, table: CatalogTable | null): readonly string[] {
  const key = table?.primaryKey ?? [];
  return key.every((name) => fields.some((f) => f.name === name && f.tableOid === table?.oid)) ? key : [];
}

/** Do the texts of these columns sort by their bytes? Asked of a row that is not there: the collation belongs to the column. */
async function bytewiseOf(session: Session, from: string, hasLastSync: boolean, fields: Fields): Promise<readonly boolean[]> {
  const texts = fields.filter((f) => TEXTS.has(f.typeOid)).map((f) => f.name);
  if (texts.length === 0) return fields.map(() => false);
  const columns = texts.map((name) => `pg_collation_for(q.${quoteName(name)})`).join(', ');
  const { rows } = await session.select(
    `SELECT (SELECT datcollate FROM pg_catalog.pg_database WHERE datname = current_database()), ${columns} FROM (VALUES (1)) AS one LEFT JOIN ${from} ON false`,
    hasLastSync ? [null] : [],
  );
  const [ofDatabase, ...found] = rows[0] ?? [];
  const isBytewise = (collation: string | null | undefined): boolean =>
    /^"?(C|POSIX|ucs_basic)"?$/.test((collation === '"default"' ? ofDatabase : collation) ?? '');
  return fields.map((f) => texts.includes(f.name) && isBytewise(found[texts.indexOf(f.name)]));
}

/** As the server would send it in a DataRow message: from there on it is read by the same code. */
function rowOf(texts: readonly (string | null)[], shape: CatalogShape): ReadRow {
  const parts: Buffer[] = [Buffer.from([texts.length >> 8, texts.length & 0xff])];
  for (const text of texts) {
    if (text === null) {
      parts.push(NULL);
      continue;
    }
    const value = Buffer.from(text),
      length = Buffer.alloc(LENGTH_BYTES);
    length.writeInt32BE(value.length);
    parts.push(length, value);
  }
  const bytes = Buffer.concat(parts);
  return new ReadRow(bytes, 0, bytes.length, shape.layout, { shape, transaction: '' });
}
