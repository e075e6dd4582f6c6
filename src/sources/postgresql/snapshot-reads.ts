// What the snapshot engine asks the server: its jobs, each on a session.

import { formatTableId } from '../../sdk/index.ts';
import type { RowMarks } from '../../snapshot/marks.ts';
import type { ChunkRead, PassJob, ReadJob, SplitJob } from '../../snapshot/types.ts';
import type { SnapshotPorts } from '../../snapshot/workers.ts';
import { type ChunkTable, NEXT_XID, selectAny, selectCuts } from './chunk-sql.ts';
import { ChunkReader, type ChunkReaderOptions, newestOf } from './chunks.ts';
import type { Session } from './connection.ts';
import type { ReadRow } from './read-rows.ts';
import type { CatalogShape } from './schemas.ts';
import type { Server } from './server.ts';
import type { XidSnapshot } from './xids.ts';

/** The transaction of a pass, open until its rows are out. */
interface OpenPass {
  readonly job: PassJob;
  readonly session: Session;
  readonly shapes: readonly CatalogShape[];
  readonly transaction: string;
  end(): void;
}

type Opened = { readonly seen: XidSnapshot; readonly h: bigint };

export interface Portion {
  readonly table: string;
  readonly rows: ReadRow[];
  readonly bytes: number;
  readonly isEnd: boolean;
}

export class SnapshotReads implements SnapshotPorts<ReadRow, XidSnapshot, number> {
  readonly #server: Server;
  readonly #reader: ChunkReader;
  readonly #tables: ReadonlyMap<string, ChunkTable>;
  readonly #marks: RowMarks;
  /** Rows wait for the stream. */
  readonly #onWaiting: () => void;
  #pass: OpenPass | null = null;

  constructor(
    server: Server,
    tables: ReadonlyMap<string, ChunkTable>,
    marks: RowMarks,
    options: ChunkReaderOptions & { onWaiting(): void },
  ) {
    this.#server = server;
    this.#reader = new ChunkReader(options);
    this.#tables = tables;
    this.#marks = marks;
    this.#onWaiting = () => options.onWaiting();
  }

  async readBound(signal: AbortSignal): Promise<number> {
    const { rows } = await this.#server.use(signal, (session) => session.query(NEXT_XID));
    return Number(rows[0]?.['xid']);
  }

  async splitKeys({ table, where, after, rows: size, count }: SplitJob, signal: AbortSignal): Promise<string[]> {
    const sql = selectCuts(this.table(table), where, after, size, count);
    const { rows } = await this.#server.use(signal, (session) => session.query(sql));
    return rows.map((r) => r['key'] as string);
  }

  async read(job: ReadJob, accepts: (seen: XidSnapshot) => boolean, signal: AbortSignal): Promise<ChunkRead<ReadRow, XidSnapshot> | null> {
    return this.#server.use(signal, async (session) => {
      const read = await this.#reader.read(session, this.table(job.table), job, accepts);
      if (read?.end === true) await this.#marks.lookAhead(job.table, (other) => this.#isEmpty(session, other));
      if (read !== null) this.#onWaiting();
      return read;
    });
  }

  /** A table that cannot be asked about counts as one with rows. */
  async #isEmpty(session: Session, table: string): Promise<boolean> {
    const found = await session.query(selectAny(this.table(table))).catch(() => null);
    return found?.rows[0]?.['found'] === 'false';
  }

  table(name: string): ChunkTable {
    return this.#tables.get(name) as ChunkTable;
  }

  // -- tables without a key: one pass --------------------------------------------------------------------------------------

  /** Holds the transaction until the rows are out, or of no use. */
  openPass(job: PassJob, onOpened: (opened: Opened) => boolean, signal: AbortSignal): Promise<void> {
    const tables = job.tables.map((t) => this.table(t.name));
    return this.#server.use(signal, (session) =>
      this.#reader.pass(session, tables, async ({ seen, h, shapes }) => {
        const ended = new AbortController();
        this.#pass = { job, session, shapes, transaction: newestOf(seen), end: () => ended.abort() };
        if (!onOpened({ seen, h })) {
          this.#pass = null;
          return;
        }
        this.#onWaiting();
        await untilAborted(AbortSignal.any([signal, ended.signal]));
      }),
    );
  }

  isOpen(job: PassJob): boolean {
    return this.#pass?.job.id === job.id;
  }

  /** All rows of an open pass, table by table. */
  async *passRows(job: PassJob, limits: { readonly rows: number; readonly bytes: number }): AsyncGenerator<Portion, void, undefined> {
    const pass = this.#pass as OpenPass;
    for (const [i, table] of job.tables.entries()) {
      const origin = { shape: pass.shapes[i] as CatalogShape, transaction: pass.transaction };
      for await (const portion of this.#reader.all(pass.session, this.table(table.name), table, origin, limits)) {
        yield { table: table.name, ...portion };
      }
    }
  }

  endPass(job: PassJob): void {
    if (!this.isOpen(job)) return;
    this.#pass?.end();
    this.#pass = null;
  }
}

/** As `SnapshotProgress.table` has it. */
export const nameOf = ({ schema, table }: ChunkTable): string => formatTableId({ database: null, schema, table });

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
