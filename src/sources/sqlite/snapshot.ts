// The initial read: chunks of a table in the order of its key, between the changes. The rule is exact, because the change
// table and the rows are in one database: a chunk is read in the same read transaction in which every change up to its end
// H has been read and sent before. So its rows are the state at H: none is too early, none is stale, and no key goes back.

import { ChangeEvent, type Clock, type Position, type SnapshotProgress } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import type { ReadTable, Reject } from './changes.ts';
import { describeRow, type Misfit, misfitError, nullKeyError, type RowPlan, SqliteRow, selectedPlan, Vetting } from './decode.ts';
import { tooManyNullKeys } from './errors.ts';
import { type ChangePlace, formatPlace, formatStored, LOG_PARTITION, parseStored } from './position.ts';
import { TextCheck } from './text-check.ts';
import type { Stored } from './types.ts';

export interface Chunk {
  readonly events: ChangeEvent[];
  readonly rejects: readonly Reject[];
  readonly progress: SnapshotProgress;
  readonly bytes: number;
}

export interface ChunkRequest {
  readonly table: ReadTable;
  readonly progress: SnapshotProgress;
  /** An end of a chunk which a faster lane has: no chunk goes beyond it. */
  readonly boundary: SnapshotProgress | null;
  readonly at: ChangePlace;
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly isFirstTable: boolean;
  readonly isLastTable: boolean;
}

/** More rows than this without a key are no accident: then they are not parked one by one. */
const MAX_NULL_KEYS = 10_000;

/** `0000000000000042-…` + `1f` → `42.1f`: a run carries the number of the change it began after. */
export function runName(at: ChangePlace, suffix: string): string {
  return `${at.id}.${suffix}`;
}
export function runStart(run: string): number {
  return Number(/^(\d+)\./.exec(run)?.[1] ?? Number.NaN);
}

/** `rows`: the part behind the column list, without the limit. */
interface ChunkQuery {
  readonly text: string;
  readonly rows: string;
  readonly parameters: readonly Stored[];
}

/** A key value on its way into SQL: texts that are no Unicode are carried as their bytes. */
interface KeyPart {
  readonly sql: string;
  readonly value: Stored;
}

export class SnapshotReader {
  readonly #db: SqliteDatabase;
  readonly #source: string;
  readonly #clock: Clock;
  readonly #texts: TextCheck;
  readonly #vetting = new Vetting();

  constructor(db: SqliteDatabase, source: string, clock: Clock) {
    this.#db = db;
    this.#source = source;
    this.#clock = clock;
    this.#texts = new TextCheck(db);
  }

  /** The next chunk of a table, at most up to the boundary. In the transaction that has read the changes up to `at`. */
  read(request: ChunkRequest): Chunk {
    const { progress, boundary, maxEvents, maxBytes } = request,
      sql = new ChunkSql(request.table);
    const rejects = progress.chunk === 0 ? this.#nullKeys(sql) : [];
    // The chunk before a boundary takes what is left: there is no other number for it.
    const mayCut = boundary === null || boundary.chunk > progress.chunk + 1;
    const events: ChangeEvent[] = [],
      nowMs = this.#clock.now(),
      rows: { row: Stored[]; isClean: boolean }[] = [];
    const query = sql.chunk(progress.lastKey, boundary?.lastKey ?? null, mayCut ? maxEvents + 1 : -1);
    let bytes = 0,
      isEnd = true;
    // First all rows, then the events: while the driver steps through rows it does nothing else.
    for (const row of this.#db
      .prepare(query.text)
      .raw()
      .iterate(...query.parameters) as Iterable<Stored[]>) {
      this.#vetting.start();
      this.#vetting.vet(sql.plan, row, 0);
      // The row beyond a full chunk tells that there is more.
      if (mayCut && rows.length > 0 && (rows.length === maxEvents || bytes + this.#vetting.bytes > maxBytes)) {
        isEnd = false;
        break;
      }
      rows.push({ row, isClean: this.#vetting.misfits.length === 0 });
      bytes += this.#vetting.bytes;
    }
    const end = isEnd ? boundary : null,
      chunk = end?.chunk ?? progress.chunk + 1;
    for (const [i, { row, isClean }] of rows.entries()) {
      const misfit = isClean ? null : this.#misfit(sql, row, query, i);
      if (misfit === null) events.push(this.#event(request, sql.plan, row, chunk, events.length, nowMs));
      else
        rejects.push(this.#reject(sql.plan, row, misfitError(sql.plan, misfit, row[misfit.column] as Stored, `source "${this.#source}"`)));
    }
    const last = rows.at(-1)?.row,
      lastKey = end !== null ? end.lastKey : last === undefined ? progress.lastKey : this.#keyOf(sql, last, query, rows.length - 1);
    const state = isEnd && boundary === null ? 'done' : 'running';
    if (progress.lastKey === null) mark(events, 0, request.isFirstTable ? 'first' : 'first_in_data_collection');
    if (state === 'done') mark(events, events.length - 1, request.isLastTable ? 'last' : 'last_in_data_collection');
    return { events, rejects, bytes, progress: { ...progress, chunk, lastKey, state, rows: progress.rows + events.length } };
  }

  #event(
    { at, progress: { run }, table }: ChunkRequest,
    plan: RowPlan,
    row: Stored[],
    chunk: number,
    n: number,
    nowMs: number,
  ): ChangeEvent {
    return new ChangeEvent({
      op: 'r',
      table: table.plan.schema,
      source: this.#source,
      partition: LOG_PARTITION,
      sourceTsMs: nowMs,
      after: new SqliteRow(plan, row, 0),
      position: `${formatPlace(at)}.r.${run}.${chunk}.${n}` as Position,
      snapshot: { run, table: table.plan.schema.id.table, chunk, place: 'true' },
    });
  }

  /** A row is found again by its number in the chunk: by its key it might be another one's, if that is no text. */
  #misfit(sql: ChunkSql, row: readonly Stored[], query: ChunkQuery, index: number): Misfit | null {
    this.#vetting.start();
    this.#vetting.vet(sql.plan, row, 0);
    const isExact = (column: number): boolean =>
      this.#texts.isExact(row[column] as string, sql.bytesOf([column], query), [...query.parameters, index]);
    return this.#vetting.misfits.find(({ column, doubtfulText }) => !doubtfulText || !isExact(column)) ?? null;
  }

  #reject(plan: RowPlan, row: readonly Stored[], error: Error): Reject {
    return { input: describeRow(plan, 'r', row, 0), at: `${plan.schema.id.table}, existing rows`, error };
  }

  /** Comparisons skip rows with NULL in their key, so they are looked for once, at the beginning. */
  #nullKeys(sql: ChunkSql): Reject[] {
    const text = sql.nullKeys(MAX_NULL_KEYS + 1);
    if (text === null) return [];
    const rows = this.#db.prepare(text).raw().all() as Stored[][],
      where = `source "${this.#source}"`;
    if (rows.length > MAX_NULL_KEYS) throw tooManyNullKeys(sql.plan.schema.id.table, MAX_NULL_KEYS, where);
    return rows.map((row) => this.#reject(sql.plan, row, nullKeyError(sql.plan, where)));
  }

  /** A key that is no valid text is carried as its bytes: the text that the driver made of it would lead to another place. */
  #keyOf(sql: ChunkSql, row: readonly Stored[], query: ChunkQuery, index: number): string {
    const values = sql.keyValues(row);
    if (!values.some((value) => typeof value === 'string' && value.includes('\uFFFD'))) return JSON.stringify(values.map(formatStored));
    const bytes = this.#db
      .prepare(sql.bytesOf(sql.keyAt, query))
      .raw()
      .get(...query.parameters, index) as Stored[];
    return JSON.stringify(
      values.map((value, i) =>
        typeof value === 'string' ? `x${Buffer.from(bytes[i] as Uint8Array).toString('hex')}` : formatStored(value),
      ),
    );
  }
}

function mark(events: ChangeEvent[], at: number, place: Exclude<ChangeEvent['snapshot'], false>['place']): void {
  const event = events[at];
  if (event !== undefined && event.snapshot !== false) events[at] = event.copy({ snapshot: { ...event.snapshot, place } });
}

/** The statements of one table's chunks. Order and comparison are the database's own. */
class ChunkSql {
  readonly plan: RowPlan;
  readonly #table: string;
  readonly #columns: readonly string[];
  /** Places of the key in a row that was selected. */
  readonly keyAt: readonly number[];
  readonly #nullable: readonly string[];

  constructor({ plan, captured: { table } }: ReadTable) {
    this.plan = selectedPlan(plan);
    this.#table = quoteName(table.name);
    const chosen = plan.schema.columns.map((c) => quoteName(c.name));
    // Without a key the rowid stands in; it is selected behind the columns of the row.
    this.#columns = table.key.length > 0 ? chosen : [...chosen, quoteName(table.rowid ?? '')];
    this.keyAt = table.key.length > 0 ? plan.keyAt : [chosen.length];
    const mayBeNull = table.rowid !== null && !table.integerKey;
    this.#nullable = table.key.filter((name) => mayBeNull && table.columns.find((c) => c.name === name)?.notNull === false).map(quoteName);
  }

  keyValues(row: readonly Stored[]): Stored[] {
    return this.keyAt.map((i) => row[i] as Stored);
  }

  chunk(after: string | null, upTo: string | null, limit: number): ChunkQuery {
    const key = this.keyAt.map((i) => this.#columns[i]).join(', '),
      conditions = this.#nullable.map((c) => `${c} IS NOT NULL`);
    const parameters: Stored[] = [];
    for (const [operator, tuple] of [
      ['>', after],
      ['<=', upTo],
    ] as const) {
      if (tuple === null) continue;
      const parts = parseKey(tuple);
      conditions.push(`(${key}) ${operator} (${parts.map((p) => p.sql).join(', ')})`);
      parameters.push(...parts.map((p) => p.value));
    }
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    const rows = `FROM ${this.#table}${where} ORDER BY ${key}`;
    return { text: `SELECT ${this.#columns.join(', ')} ${rows} LIMIT ${limit}`, rows, parameters };
  }

  nullKeys(limit: number): string | null {
    if (this.#nullable.length === 0) return null;
    return `SELECT ${this.#columns.join(', ')} FROM ${this.#table} WHERE ${this.#nullable.map((c) => `${c} IS NULL`).join(' OR ')} LIMIT ${limit}`;
  }

  /** The bytes of some columns of one row of a chunk; its number is the last parameter. */
  bytesOf(columns: readonly number[], { rows }: ChunkQuery): string {
    return `SELECT ${columns.map((i) => `CAST(${this.#columns[i]} AS BLOB)`).join(', ')} ${rows} LIMIT 1 OFFSET ?`;
  }
}

function parseKey(text: string): KeyPart[] {
  const parts = JSON.parse(text) as string[];
  return parts.map((part) =>
    part.startsWith('x') ? { sql: 'CAST(? AS TEXT)', value: Buffer.from(part.slice(1), 'hex') } : { sql: '?', value: parseStored(part) },
  );
}

/** Of progress stored by an earlier start: does it still count at this place? */
export function isSound(progress: SnapshotProgress, from: ChangePlace): boolean {
  const start = runStart(progress.run);
  // A run that began behind the place where we resume answers a record that will come again, and be answered again.
  return Number.isNaN(start) || start <= from.id;
}
