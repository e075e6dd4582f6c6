// The jobs of a snapshot on a session: each in one read-only transaction of one snapshot. It takes no lock but the one of SELECT, which
// holds up ALTER TABLE and nothing else; a table that was altered since the snapshot is an error of the server, and read again.

import { createHash } from 'node:crypto';
import { CdcError, type Clock, type Column, type Row, type TableSchema } from '../../sdk/index.ts';
import { type ChunkRow, chunkRows } from '../../snapshot/rows.ts';
import type { ChunkRead, PassJob, ReadJob } from '../../snapshot/types.ts';
import type { BinlogRow } from './binlog/rows.ts';
import { Catalog, type CatalogTable } from './catalog.ts';
import { type ChunkTable, from, nameOf, type Shape, selectAll, selectKeys, selectRange } from './chunk-sql.ts';
import type { RawRow, Session } from './connection.ts';
import { parseFileName, placeNumber } from './position.ts';
import type { SchemaTracker } from './schemas.ts';
import { logEnd, type ServerFacts, variables } from './server-facts.ts';
import { isOrderedByNumber, literalOf, readerOf } from './text-values.ts';
import { type SeenPoint, setOf, type VisibilityKind } from './visibility.ts';

/** 128 bits. */
const FINGERPRINT_LETTERS = 22;
/** Memory of a value beside its text. */
const VALUE_BYTES = 16;

/** A table as the transaction sees it. */
export interface TableShape extends Shape {
  readonly now: CatalogTable;
  readonly schema: TableSchema;
  readonly read: readonly ((bytes: Buffer) => Row[string])[];
}

/** A row that was read. */
export interface ReadRow {
  readonly shape: TableShape;
  readonly row: Row;
  /** Newer columns, oldest first. */
  readonly parts: readonly BinlogRow[];
}

export interface ChunkReaderOptions {
  readonly tracker: SchemaTracker;
  readonly where: string;
  readonly facts: ServerFacts;
  readonly kind: VisibilityKind;
  readonly marginMs: number;
  readonly history: number;
  readonly clock: Clock;
}

/** A table in the transaction that has it. */
interface Opened {
  readonly seen: SeenPoint;
  readonly h: bigint;
}

export class ChunkReader {
  readonly #o: ChunkReaderOptions;

  constructor(options: ChunkReaderOptions) {
    this.#o = options;
  }

  /** `accepts`: would rows in this snapshot count? `null`: they would not. */
  read(
    session: Session,
    table: ChunkTable,
    job: ReadJob,
    accepts: (seen: SeenPoint) => boolean,
  ): Promise<ChunkRead<ReadRow, SeenPoint> | null> {
    return this.#inSnapshot(session, [table], async ({ seen, h }) => {
      if (!accepts(seen)) return null;
      const { shape, fingerprint } = await this.#look(session, table),
        isRange = job.kind === 'range',
        maxRows = isRange ? job.maxRows : Number.POSITIVE_INFINITY,
        maxBytes = isRange ? job.maxBytes : Number.POSITIVE_INFINITY;
      const sql = isRange ? selectRange(table, shape, job.where, job, maxRows) : selectKeys(table, shape, job.where, job.keys);
      const rows: ChunkRow<ReadRow>[] = [];
      let bytes = 0,
        isCut = false;
      for await (const values of session.rows(sql)) {
        const row = chunkRow(shape, values);
        rows.push(row);
        bytes += row.bytes;
        isCut = bytes >= maxBytes;
        if (isCut) break;
      }
      return { seen, fingerprint, h, bytes, rows: chunkRows(rows), end: !isCut && rows.length < maxRows };
    });
  }

  /** Takes one S for all tables; `work` runs while it is held. */
  async pass(
    session: Session,
    tables: readonly ChunkTable[],
    work: (opened: Opened & { readonly shapes: readonly TableShape[] }) => Promise<void>,
  ): Promise<void> {
    await this.#inSnapshot(session, tables, async (opened) => {
      const shapes: TableShape[] = [];
      for (const table of tables) shapes.push((await this.#look(session, table)).shape);
      await work({ ...opened, shapes });
    });
  }

  /** All rows of a table in portions; the last one is not full, and may be empty. */
  async *all(
    session: Session,
    table: ChunkTable,
    { where }: PassJob['tables'][number],
    shape: TableShape,
    limits: { readonly rows: number; readonly bytes: number },
  ): AsyncGenerator<{ rows: ReadRow[]; bytes: number; isEnd: boolean }, void, undefined> {
    let rows: ReadRow[] = [],
      bytes = 0;
    for await (const values of session.rows(selectAll(table, shape, where))) {
      rows.push({ shape, row: rowOf(shape, values), parts: [] });
      bytes += sizeOf(values);
      if (rows.length < limits.rows && bytes < limits.bytes) continue;
      yield { rows, bytes, isEnd: false };
      rows = [];
      bytes = 0;
    }
    yield { rows, bytes, isEnd: true };
  }

  // -- the transaction -----------------------------------------------------------------------------------------------------

  async #inSnapshot<T>(session: Session, tables: readonly ChunkTable[], work: (opened: Opened) => Promise<T>): Promise<T> {
    const { facts, kind, clock, marginMs } = this.#o;
    const before = kind === 'gtids' ? ((await variables(session, ['gtid_executed'])).get('gtid_executed') ?? '') : '';
    const atMs = clock.now() - marginMs;
    await session.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await session.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    try {
      const place = kind === 'place' ? await this.#snapshotPlace(session) : 0n;
      // From here on the table cannot be altered; if it was since the snapshot, the server says so.
      for (const table of tables) await session.query(`SELECT 1 FROM ${from(table)} LIMIT 0`);
      const end = await logEnd(session, facts),
        file = parseFileName(end?.file ?? '');
      if (end === null || file === null) throw this.#error('The server does not say where its log ends.');
      const h = placeNumber({ history: this.#o.history, fileNumber: file.number, position: end.position });
      return await work({ seen: { place, done: setOf(before), atMs }, h });
    } finally {
      // It has written nothing, so there is nothing to keep; a connection that is gone has ended it already.
      if (!session.isBroken)
        await session.query('ROLLBACK').catch(() => {
          session.isBroken = true;
        });
    }
  }

  /** The place in the log that the snapshot is of. */
  async #snapshotPlace(session: Session): Promise<bigint> {
    const rows = await session.query("SHOW STATUS WHERE Variable_name IN ('Binlog_snapshot_file', 'Binlog_snapshot_position')"),
      found = new Map(rows.map((r) => [(r['Variable_name'] ?? '').toLowerCase(), r['Value'] ?? '']));
    const file = parseFileName(found.get('binlog_snapshot_file') ?? '');
    if (file === null) throw this.#error('The server does not say which place of the log a snapshot is of.');
    return placeNumber({
      history: this.#o.history,
      fileNumber: file.number,
      position: Number(found.get('binlog_snapshot_position') ?? 0),
    });
  }

  async #look(session: Session, table: ChunkTable): Promise<{ shape: TableShape; fingerprint: string }> {
    const { facts, tracker } = this.#o,
      now = await new Catalog(session, () => Promise.resolve(facts.flavor === 'mariadb')).table(table.database, table.table);
    if (now === null || table.key.some((k) => !now.columns.some((c) => c.name === k)))
      throw this.#error(`The table ${nameOf(table)} is not there any more as it was when reading began.`);
    const [created] = await session.query(
      'SELECT CREATE_TIME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
      [table.database, table.table],
    );
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([created?.['t'], now.columns]))
      .digest('base64url')
      .slice(0, FINGERPRINT_LETTERS);
    return { shape: shapeOf(now, tracker, table.key), fingerprint };
  }

  #error(message: string): CdcError {
    return new CdcError('SOURCE_MISCONFIGURED', message, { where: this.#o.where, fix: 'Start the pipeline again, or correct `tables`.' });
  }
}

/** A table as the catalog has it, to be read in the order of these columns, which must be among those that are read. */
export function shapeOf(now: CatalogTable, tracker: SchemaTracker, key: readonly string[]): TableShape {
  const { schema } = tracker.fromCatalog(now),
    { columns } = schema;
  const order = key.map((name) => columns.find((c) => c.name === name) as Column);
  return { now, schema, columns, key: order, read: columns.map(readerOf) };
}

function sizeOf(values: RawRow): number {
  let bytes = 0;
  for (const value of values) bytes += (value?.length ?? 0) + VALUE_BYTES;
  return bytes;
}

function rowOf({ columns, read }: TableShape, values: RawRow): Row {
  const row: Row = {};
  for (let i = 0; i < columns.length; i++) {
    const name = (columns[i] as Column).name,
      bytes = values[i] ?? null,
      value = bytes === null ? null : (read[i] as (b: Buffer) => Row[string])(bytes);
    if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
    else row[name] = value;
  }
  return row;
}

/** With its place in that order. */
export function chunkRow(shape: TableShape, values: RawRow): ChunkRow<ReadRow> {
  const row = rowOf(shape, values),
    key = keyOf(shape.key, (name) => row[name]) ?? '';
  let place = key;
  if (shape.key.some(isOrderedByNumber)) {
    let next = shape.columns.length;
    place = JSON.stringify(
      shape.key.map((c) => (isOrderedByNumber(c) ? (values[next++]?.toString('utf8') ?? '0') : literalOf(c, row[c.name] ?? null))),
    );
  }
  return { key, place, row: { shape, row, parts: [] }, bytes: sizeOf(values) };
}

/** The values of these columns as SQL: the same text for a row of the log and of SELECT. `null`: one is NULL or missing. */
export function keyOf(key: readonly Column[], get: (name: string) => Row[string] | undefined): string | null {
  const texts: string[] = [];
  for (const column of key) {
    const value = get(column.name);
    if (value === undefined || value === null) return null;
    texts.push(literalOf(column, value));
  }
  return texts.length === 0 ? null : JSON.stringify(texts);
}

export function cutPlace(shape: readonly Column[], values: RawRow): string {
  let next = shape.length;
  return JSON.stringify(
    shape.map((c, i) => {
      if (isOrderedByNumber(c)) return values[next++]?.toString('utf8') ?? '0';
      return literalOf(c, readerOf(c)(values[i] as Buffer));
    }),
  );
}
