// What polling reads rows from, a table or a query: the newest row, and a page of them in one read-only transaction.

import type { OrderKind } from '../../polling/places.ts';
import type { PolledInput, PolledRow, PolledRows, PollRange } from '../../polling/reader.ts';
import { CdcError, type Column, type Position, type TableId } from '../../sdk/index.ts';
import { quoteName, textLiteral } from '../../systems/mysql/names.ts';
import type { CatalogTable } from './catalog.ts';
import { beyond, type ChunkTable, selectNewest, selectRange } from './chunk-sql.ts';
import { chunkRow, cutPlace, shapeOf } from './chunks.ts';
import type { Session } from './connection.ts';
import type { TimeColumn } from './poll-bound.ts';
import { type Order, timeColumn } from './poll-order.ts';
import { nameOfTable, type SchemaTracker, tableId } from './schemas.ts';

/** A table, or a query as if it were one. */
export interface Relation {
  /** As it was when reading began. */
  readonly table: CatalogTable;
  /** A query that compares with the last watermark. */
  readonly hasLastSync: boolean;
  /** What stands behind FROM; `lastSync`: SQL of the last watermark. */
  from(lastSync: string): string;
  /** As it is in the transaction that is open; from here on it cannot be altered. `null`: it is gone. */
  look(session: Session): Promise<CatalogTable | null>;
}

export interface PollTools {
  readonly where: string;
  tracker(): Promise<SchemaTracker>;
}

const LITERAL = /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|x'[0-9a-f]*'|'(?:[^'\\]|''|\\.)*')$/s;
/** Below every value of its type. */
const BEFORE_ALL: Readonly<Record<OrderKind, string>> = {
  i: '-9223372036854775808',
  t: "'0000-00-00 00:00:00'",
  s: "''",
  p: "''",
  x: "''",
};

export class PollInput implements PolledInput {
  readonly id: TableId;
  readonly order: readonly Column[];
  readonly kinds: readonly OrderKind[];
  readonly carriesBefore: boolean;
  /** `null`: the watermark says nothing of the time. */
  readonly time: TimeColumn | null;
  readonly table: CatalogTable;
  readonly #relation: Relation;
  readonly #tools: PollTools;

  constructor(relation: Relation, { columns, kinds }: Order, tools: PollTools) {
    this.id = tableId(relation.table.database, relation.table.table);
    this.order = columns;
    this.kinds = kinds;
    this.carriesBefore = relation.hasLastSync;
    this.time = timeColumn(columns[0] as Column);
    this.table = relation.table;
    this.#relation = relation;
    this.#tools = tools;
  }

  /** Watermark and key of the newest row with a watermark below `before`; `null`: there is none. */
  async newest(session: Session, before: string | null): Promise<string | null> {
    let place: string | null = null;
    for await (const values of session.rows(selectNewest(this.#source(null), this.order, this.#readable(before))))
      place = this.#texts(cutPlace(this.order, values));
    return place;
  }

  async rows(session: Session, range: PollRange): Promise<PolledRows> {
    const tracker = await this.#tools.tracker();
    await session.query('START TRANSACTION READ ONLY');
    try {
      return await this.#page(session, tracker, range);
    } finally {
      // It has written nothing, so there is nothing to keep; a connection that is gone has ended it already.
      if (!session.isBroken)
        await session.query('ROLLBACK').catch(() => {
          session.isBroken = true;
        });
    }
  }

  async #page(session: Session, tracker: SchemaTracker, range: PollRange): Promise<PolledRows> {
    const now = await this.#relation.look(session),
      key = this.order.map((c) => c.name),
      shape = shapeOf(this.#checked(now, key), tracker, key),
      table = (await tracker.appear(shape.now, '' as Position)).schema,
      rows: PolledRow[] = [];
    let bytes = 0;
    for await (const values of session.rows(
      selectRange(this.#source(range.lastSync), shape, this.#within(range), { after: null, upTo: null }, range.maxRows),
    )) {
      const { row, place, key: found, bytes: size } = chunkRow(shape, values);
      if (found === '') throw this.#noKey();
      rows.push({ texts: this.#texts(place), table, after: row.row });
      bytes += size;
      if (bytes >= range.maxBytes) return { rows, bytes, end: false };
    }
    return { rows, bytes, end: rows.length < range.maxRows };
  }

  #checked(now: CatalogTable | null, key: readonly string[]): CatalogTable {
    const lacking = key.find((name) => now?.columns.every((c) => c.name !== name) ?? true);
    if (now !== null && lacking === undefined) return now;
    throw new CdcError('SOURCE_MISCONFIGURED', `${nameOfTable(this.table)} has no column "${lacking}" any more.`, {
      where: this.#tools.where,
      fix: 'Start the pipeline again, or correct `watermark`.',
    });
  }

  #noKey(): CdcError {
    const key = this.order.slice(1).map((c) => c.name);
    return new CdcError('SOURCE_DATA_INVALID', `A row of ${nameOfTable(this.table)} has no ${key.join(' or ') || 'key'}: it is NULL.`, {
      where: this.#tools.where,
      fix: 'Leave such rows out in the query, or name other columns in `watermark.key`.',
    });
  }

  #source(lastSync: string | null): ChunkTable {
    const { database, table } = this.table,
      literal = lastSync === null ? BEFORE_ALL[this.kinds[0] ?? 'x'] : this.#literal(lastSync, 0);
    return { database, table, source: this.#relation.from(literal), key: this.order.map((c) => c.name), where: null };
  }

  /** Rows that have a watermark, below `before`. */
  #readable(before: string | null): string {
    const column = quoteName(this.order[0]?.name ?? '');
    return `${column} IS NOT NULL${before === null ? '' : ` AND ${column} < ${textLiteral(before)}`}`;
  }

  /** What compares with NULL counts as within: its row is refused, not passed over. */
  #within({ before, after, upTo }: PollRange): string {
    const bounds = [
      ...(after === null ? [] : [beyond(this.order, this.#literals(after), '>', false)]),
      ...(upTo === null ? [] : [beyond(this.order, this.#literals(upTo), '<', true)]),
    ];
    const mayBeNull = this.table.columns.some((c) => c.nullable && this.order.slice(1).some(({ name }) => name === c.name));
    return [this.#readable(before), ...bounds.map((b) => (mayBeNull ? `(${b}) IS NOT FALSE` : b))].join(' AND ');
  }

  /** SQL of a place → its texts. What only the server can order stays SQL. */
  #texts(place: string): string {
    return JSON.stringify((JSON.parse(place) as string[]).map((sql, i) => (this.#isQuoted(i) ? unquoted(sql) : sql)));
  }

  #literals(texts: string): string {
    return JSON.stringify((JSON.parse(texts) as string[]).map((text, i) => this.#literal(text, i)));
  }

  #literal(text: string, i: number): string {
    const sql = this.#isQuoted(i) ? textLiteral(text) : text;
    if (LITERAL.test(sql)) return sql;
    throw new CdcError('STATE_CORRUPT', `A place of ${nameOfTable(this.table)} holds what is no value: ${sql.slice(0, 50)}.`, {
      where: this.#tools.where,
      fix: 'Begin anew with `cdc-run forget`.',
    });
  }

  #isQuoted(i: number): boolean {
    return /[tsp]/.test(this.kinds[i] ?? 'x');
  }
}

/** What `textLiteral` was given. */
function unquoted(sql: string): string {
  return sql
    .slice(1, -1)
    .replaceAll(/''|\\(.)/gs, (_, escaped?: string) => (escaped === undefined ? "'" : escaped === '0' ? '\0' : escaped));
}
