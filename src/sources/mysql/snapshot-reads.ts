// What the snapshot engine asks the server: its jobs, each on a session.

import type { Column } from '../../sdk/index.ts';
import type { RowMarks } from '../../snapshot/marks.ts';
import type { ChunkRead, PassJob, ReadJob, SplitJob } from '../../snapshot/types.ts';
import type { SnapshotPorts } from '../../snapshot/workers.ts';
import { type ChunkTable, explainRows, selectAny, selectCut } from './chunk-sql.ts';
import { ChunkReader, type ChunkReaderOptions, cutPlace, type ReadRow, type TableShape } from './chunks.ts';
import type { Session } from './connection.ts';
import type { Server } from './server.ts';
import type { SeenPoint } from './visibility.ts';

/** The transaction of a pass, open until its rows are out. */
interface OpenPass {
  readonly job: PassJob;
  readonly session: Session;
  readonly shapes: readonly TableShape[];
  end(): void;
}

type Opened = { readonly seen: SeenPoint; readonly h: bigint };

export interface Portion {
  readonly table: string;
  readonly rows: ReadRow[];
  readonly bytes: number;
  readonly isEnd: boolean;
}

export class SnapshotReads implements SnapshotPorts<ReadRow, SeenPoint, SeenPoint> {
  readonly #server: Server;
  readonly #options: ChunkReaderOptions;
  readonly #reader: ChunkReader;
  readonly #tables: ReadonlyMap<string, ChunkTable>;
  readonly #marks: RowMarks;
  /** What has been streamed by now. */
  readonly #streamed: () => SeenPoint;
  #pass: OpenPass | null = null;

  constructor(
    server: Server,
    tables: ReadonlyMap<string, ChunkTable>,
    marks: RowMarks,
    streamed: () => SeenPoint,
    options: ChunkReaderOptions,
  ) {
    this.#server = server;
    this.#options = options;
    this.#reader = new ChunkReader(options);
    this.#tables = tables;
    this.#marks = marks;
    this.#streamed = streamed;
  }

  /** All that was streamed until now must be seen: known here, without asking. */
  readBound(): Promise<SeenPoint> {
    return Promise.resolve(this.#streamed());
  }

  async splitKeys({ table, where, after, rows: size, count }: SplitJob, signal: AbortSignal): Promise<string[]> {
    const known = this.table(table),
      cuts: string[] = [];
    return this.#server.use(signal, async (session) => {
      const key = await this.#key(known);
      for (let last = after; cuts.length < count; ) {
        const found = await rowsOf(session, selectCut(known, key, where, last, size));
        if (found === null) break;
        last = cutPlace(key, found);
        cuts.push(last);
      }
      return cuts;
    });
  }

  async #key({ database, table, key }: ChunkTable): Promise<Column[]> {
    const columns = (await this.#options.tracker.current(database, table))?.schema.columns ?? [];
    return key.map((name) => columns.find((c) => c.name === name) as Column);
  }

  async read(job: ReadJob, accepts: (seen: SeenPoint) => boolean, signal: AbortSignal): Promise<ChunkRead<ReadRow, SeenPoint> | null> {
    return this.#server.use(signal, async (session) => {
      const read = await this.#reader.read(session, this.table(job.table), job, accepts);
      if (read?.end === true && !session.isBroken) await this.#marks.lookAhead(job.table, (other) => this.#isEmpty(session, other));
      return read;
    });
  }

  /** A table that cannot be asked about counts as one with rows. */
  async #isEmpty(session: Session, table: string): Promise<boolean> {
    const found = await session.query(selectAny(this.table(table))).catch(() => null);
    return found?.length === 0;
  }

  async estimate(table: string, where: string | null, signal: AbortSignal): Promise<number | null> {
    const [row] = await this.#server.use(signal, (session) => session.query(explainRows(this.table(table), where)));
    return row?.['rows'] == null ? null : Number(row['rows']);
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
        this.#pass = { job, session, shapes, end: () => ended.abort() };
        if (!onOpened({ seen, h })) {
          this.#pass = null;
          return;
        }
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
      for await (const portion of this.#reader.all(pass.session, this.table(table.name), table, pass.shapes[i] as TableShape, limits)) {
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

async function rowsOf(session: Session, sql: string): Promise<readonly (Buffer | null)[] | null> {
  let found: readonly (Buffer | null)[] | null = null;
  for await (const row of session.rows(sql)) found = row;
  return found;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
