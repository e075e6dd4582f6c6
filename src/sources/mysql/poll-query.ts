// A query that is polled: its rows as those of one table, with the types that the server says they have. It is put into a subselect;
// what its rows are compared with is written as literals (names.ts).

import { comparedColumn, MYSQL, splitLastSync } from '../../polling/last-sync.ts';
import { CdcError } from '../../sdk/index.ts';
import { quoteName } from '../../systems/mysql/names.ts';
import type { Catalog, CatalogColumn, CatalogTable } from './catalog.ts';
import type { Session } from './connection.ts';
import { PollInput, type PollTools, type Relation } from './poll-input.ts';
import { orderOf, type Watermark, watermarkTypeOf } from './poll-order.ts';
import { columnOfField, isText, type QueryField } from './query-columns.ts';

export interface PollQueryOptions extends PollTools {
  readonly query: string;
  /** Of the rows. */
  readonly database: string;
  readonly table: string;
  readonly watermark: Watermark | undefined;
  readonly catalog: Catalog;
}

/** What a query is asked with, where it is not run. */
const NOTHING = 'NULL';

/** Asks what the query gives, without running it. Throws `SOURCE_MISCONFIGURED` where that cannot be polled. */
export async function pollQuery(session: Session, options: PollQueryOptions): Promise<PollInput> {
  const { query, database, table: name, watermark, where } = options,
    { parts, hasLastSync } = splitLastSync(query, MYSQL),
    // A comment at its end must not take the rest of the line.
    from = (lastSync: string): string => `(${parts.join(lastSync)}\n) AS q`;
  const fields = await fieldsOf(session, from(NOTHING), options),
    columns = await columnsOf(session, from(NOTHING), fields);
  const named = await options.catalog.table(database, name),
    key = watermark?.key === undefined ? await keyOfTable(session, parts.join(NOTHING), named) : [watermark.key].flat();
  if (key.length === 0) throw wrong('nothing says what its key is', 'Name its columns: `watermark: {key: [id]}`.', where);
  const tableOf = (now: readonly CatalogColumn[]): CatalogTable => ({
    database,
    table: name,
    columns: now,
    hidden: [],
    primaryKey: key,
    key,
    engine: '',
    rows: 0,
  });
  const relation: Relation = {
    table: tableOf(columns),
    hasLastSync,
    from,
    // A view in it may have changed.
    look: async (now) => tableOf(await columnsOf(now, from(NOTHING), await fieldsOf(now, from(NOTHING), options))),
  };
  const order = orderOf(relation.table, watermark ?? growing(query, relation.table, key, where), where, true);
  return new PollInput(relation, order, options);
}

const wrong = (problem: string, fix: string, where: string): CdcError =>
  new CdcError('SOURCE_MISCONFIGURED', `The query cannot be polled: ${problem}.`, { where, fix });

async function fieldsOf(session: Session, from: string, { where }: PollQueryOptions): Promise<readonly QueryField[]> {
  const fields = await session.fields(`SELECT * FROM ${from} LIMIT 0`),
    repeated = fields.find((f, i) => fields.findIndex((other) => other.name === f.name) !== i);
  if (repeated !== undefined) throw wrong(`it gives more than one column "${repeated.name}"`, 'Name one of them with AS.', where);
  return fields;
}

/** Collations are asked of a row that is not there: they belong to the columns. */
async function columnsOf(session: Session, from: string, fields: readonly QueryField[]): Promise<CatalogColumn[]> {
  const columns = fields.map((f) => columnOfField(f, null)),
    texts = columns.filter(isText);
  if (texts.length === 0) return columns;
  const asked = texts.map(({ name }, i) => `COLLATION(q.${quoteName(name)}) AS c${i}`).join(', '),
    [row] = await session.query(`SELECT ${asked} FROM (SELECT 1 AS one) AS o LEFT JOIN ${from} ON FALSE`);
  return columns.map((c) => (isText(c) ? { ...c, collation: row?.[`c${texts.indexOf(c)}`] ?? null } : c));
}

/** The primary key of the table that has the name of the rows, where the query gives its very columns. */
async function keyOfTable(session: Session, sql: string, table: CatalogTable | null): Promise<readonly string[]> {
  if (table === null || table.primaryKey.length === 0) return [];
  const fields = await session.fields(`${sql}\nLIMIT 0`);
  const isGiven = (name: string): boolean =>
    fields.some((f) => f.name === name && f.orgName === name && f.orgTable === table.table && f.schema === table.database);
  return table.primaryKey.every(isGiven) ? table.primaryKey : [];
}

/** The watermark that the query itself names. */
function growing(query: string, table: CatalogTable, key: readonly string[], where: string): Watermark {
  const name = comparedColumn(query, MYSQL) ?? '',
    column = table.columns.find((c) => c.name.toLowerCase() === name.toLowerCase()),
    type = column === undefined ? null : watermarkTypeOf(column);
  if (column === undefined) throw wrong(`it gives no column "${name}"`, 'Correct `query` or `watermark`.', where);
  if (type === null)
    throw wrong(
      `its column "${name}" is nothing that is known to grow`,
      'Name another one: `watermark`; a text needs COLLATE utf8mb4_bin.',
      where,
    );
  return { column: column.name, type, key: [...key], settle: 0 };
}
