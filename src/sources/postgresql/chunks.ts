// The jobs of a snapshot on a session: each in one read-only transaction that locks first and looks then, because rewrites are
// not seen by an older snapshot: it finds the table empty (facts: rewrites read as empty).

import { createHash } from 'node:crypto';
import { CdcError } from '../../sdk/index.ts';
import type { ChunkRead, KeysJob, PassJob, RangeJob } from '../../snapshot/types.ts';
import { brokenColumns, READ_AS_IT_IS } from './broken-rows.ts';
import { type ChunkTable, lockTable, qualifiedName, SEEN, selectAll, selectKeys, selectRange } from './chunk-sql.ts';
import type { Session } from './connection.ts';
import { endOf } from './end-of-log.ts';
import { type ReadRow, ReadRows, type RowOrigin } from './read-rows.ts';
import type { CatalogShape, SchemaTracker } from './schemas.ts';
import { Catalog, type CatalogColumn, type CatalogTable } from './system-catalog.ts';
import { parseXidSnapshot, type XidSnapshot } from './xids.ts';

/** 128 bits. */
const FINGERPRINT_LETTERS = 22;

export interface ChunkReaderOptions {
  readonly tracker: SchemaTracker;
  readonly where: string;
  /** Texts may be anything, and are read as they are. */
  readonly isRaw: boolean;
  /** Who asks for rows alone, and not for what the stream will bring of them, may ask a standby. */
  readonly mayBeStandby?: boolean;
  sends(table: CatalogTable): (column: CatalogColumn) => boolean;
}

/** A table in the transaction that has locked it. */
interface Seen {
  readonly seen: XidSnapshot;
  readonly fingerprint: string;
  readonly h: bigint;
  readonly shape: CatalogShape;
}

export class ChunkReader {
  readonly #o: ChunkReaderOptions;
  /** Table → its last shape; columns change seldom. */
  readonly #shapes = new Map<string, { readonly columns: string; readonly shape: CatalogShape }>();

  constructor(options: ChunkReaderOptions) {
    this.#o = options;
  }

  /** `accepts`: would rows in this snapshot count? `null`: they would not. */
  read(
    session: Session,
    table: ChunkTable,
    job: RangeJob | KeysJob,
    accepts: (seen: XidSnapshot) => boolean,
  ): Promise<ChunkRead<ReadRow, XidSnapshot> | null> {
    return session.inSnapshot(null, async () => {
      await session.script(lockTable(table));
      const found = await this.#look(session, table);
      if (!accepts(found.seen)) return null;
      const columns = found.shape.layout.names,
        maxRows = job.kind === 'range' ? job.maxRows : Number.POSITIVE_INFINITY,
        maxBytes = job.kind === 'range' ? job.maxBytes : Number.POSITIVE_INFINITY;
      const sql =
        job.kind === 'range' ? selectRange(table, columns, job.where, job, maxRows) : selectKeys(table, columns, job.where, job.keys);
      const { seen, fingerprint, h, shape } = found,
        rows = new ReadRows({ shape, transaction: newestOf(seen) }, table.key);
      if (this.#o.isRaw) await session.script(READ_AS_IT_IS);
      let isCut = false;
      for await (const frames of session.frames(sql)) {
        rows.push(frames);
        isCut = rows.size >= maxBytes;
        if (isCut) break;
      }
      if (this.#o.isRaw) for (let i = 0; i < rows.count; i++) this.#checkKey(rows.row(i), table);
      return { seen, fingerprint, h, bytes: rows.size, rows, end: !isCut && rows.count < maxRows };
    });
  }

  /** Locks all tables, then takes one S; `work` runs while it is held. */
  pass(
    session: Session,
    tables: readonly ChunkTable[],
    work: (opened: { seen: XidSnapshot; h: bigint; shapes: readonly CatalogShape[] }) => Promise<void>,
  ): Promise<void> {
    return session.inSnapshot(null, async () => {
      for (const table of tables) await session.script(lockTable(table));
      const found: Seen[] = [];
      for (const table of tables) found.push(await this.#look(session, table));
      const [first] = found;
      if (this.#o.isRaw) await session.script(READ_AS_IT_IS);
      if (first !== undefined) await work({ seen: first.seen, h: first.h, shapes: found.map((f) => f.shape) });
    });
  }

  /** All rows of a table in portions; the last one is not full, and may be empty. */
  async *all(
    session: Session,
    table: ChunkTable,
    { where }: PassJob['tables'][number],
    origin: RowOrigin,
    limits: { readonly rows: number; readonly bytes: number },
  ): AsyncGenerator<{ rows: ReadRow[]; bytes: number; isEnd: boolean }, void, undefined> {
    let rows: ReadRow[] = [],
      bytes = 0;
    for await (const frames of session.frames(selectAll(table, origin.shape.layout.names, where))) {
      const portion = new ReadRows(origin, []);
      portion.push(frames);
      for (let i = 0; i < portion.count; i++) {
        rows.push(portion.row(i));
        bytes += portion.bytes(i);
        if (rows.length < limits.rows && bytes < limits.bytes) continue;
        yield { rows, bytes, isEnd: false };
        rows = [];
        bytes = 0;
      }
    }
    yield { rows, bytes, isEnd: true };
  }

  /** Where reading goes on is said by texts: without them rows would be passed over. */
  #checkKey(row: ReadRow, { schema, table, key }: ChunkTable): void {
    const broken = brokenColumns(row).find((name) => key.includes(name));
    if (broken === undefined) return;
    throw new CdcError('SOURCE_DATA_INVALID', `The key column "${broken}" of ${schema}.${table} holds what is not UTF-8.`, {
      where: this.#o.where,
      fix: 'Correct the key at the source, or set `snapshot.where` so that the row is left out.',
    });
  }

  async #look(session: Session, table: ChunkTable): Promise<Seen> {
    const { rows } = await session.query(SEEN, [qualifiedName(table)]);
    const { seen = '', files, columns, standby } = rows[0] ?? {};
    if (standby === 't' && this.#o.mayBeStandby !== true) throw this.#standby();
    const shape = await this.#shapeOf(session, table, columns ?? '');
    const lacking = table.key.find((name) => shape.layout.indexOf(name) < 0);
    if (lacking !== undefined) throw this.#gone(table);
    const parts = shape.relation.columns.map((c) => [c.name, c.typeOid, c.typmod]);
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([files, parts]))
      .digest('base64url')
      .slice(0, FINGERPRINT_LETTERS);
    return { seen: parseXidSnapshot(seen ?? ''), fingerprint, h: endOf(rows[0]), shape };
  }

  /** `columns`: a digest of what the catalog says of them. */
  async #shapeOf(session: Session, table: ChunkTable, columns: string): Promise<CatalogShape> {
    const name = qualifiedName(table),
      known = this.#shapes.get(name);
    if (known?.columns === columns) return known.shape;
    const now = await new Catalog(session).named(table.schema, table.table);
    if (now === null) throw this.#gone(table);
    const shape = await this.#o.tracker.fromCatalog(now, this.#o.sends(now));
    this.#shapes.set(name, { columns, shape });
    return shape;
  }

  #gone({ schema, table }: ChunkTable): CdcError {
    return new CdcError('SOURCE_MISCONFIGURED', `The table ${schema}.${table} is not there any more as it was when reading began.`, {
      where: this.#o.where,
      fix: 'Start the pipeline again, or correct `tables`.',
    });
  }

  /** There the snapshot does not say which transactions run: rows could be lost or go back. */
  #standby(): CdcError {
    return new CdcError('SOURCE_MISCONFIGURED', 'Existing rows cannot be read from a standby.', {
      where: this.#o.where,
      fix: 'Connect to the primary, or set `snapshot_mode: never`.',
    });
  }
}

export function newestOf({ xmax }: XidSnapshot): string {
  return (xmax - 1n).toString();
}
