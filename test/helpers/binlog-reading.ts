// A reading of the MySQL source without a server: events made here go in as the dump would bring them, batches come out.

import { type ChangeBatch, type ChangeEvent, type Position, type ReadContext, silentLogger } from '../../src/sdk/index.ts';
import { memoryStore } from '../../src/sdk/testing/memory-store.ts';
import { EventType } from '../../src/sources/mysql/binlog/events.ts';
import { Catalog } from '../../src/sources/mysql/catalog.ts';
import { doneSet } from '../../src/sources/mysql/done-set.ts';
import { Packets } from '../../src/sources/mysql/dump/packets.ts';
import { LogIdentity } from '../../src/sources/mysql/log-identity.ts';
import { placeAfter } from '../../src/sources/mysql/position.ts';
import { PreparedTransactions } from '../../src/sources/mysql/prepared.ts';
import { LogReading } from '../../src/sources/mysql/reading.ts';
import type { Between } from '../../src/sources/mysql/reading-options.ts';
import { loadHistory } from '../../src/sources/mysql/schema-history.ts';
import { SchemaTracker } from '../../src/sources/mysql/schemas.ts';
import { StoppedTables } from '../../src/streaming/stopped-tables.ts';
import { column, event, formatDescription, le, rowsEvent, type TestRow, type TestTable, tableMap } from './binlog.ts';

export const ITEMS: TestTable = { id: 1, database: 'shop', table: 'items', columns: [column.int('id'), column.int('a')], key: [0] };
const FILE = { base: 'binlog', number: 1 };
const STANDALONE = 1;

/** Events as MariaDB sends them. */
export const log = {
  /** What a connection begins with, and what stands between two files. */
  file: (number: number, position = 4): Buffer[] => [
    event(EventType.rotate, Buffer.concat([le(position, 8), Buffer.from(`binlog.${String(number).padStart(6, '0')}`)]), {
      timestamp: 0,
      flags: 0x20,
    }),
    formatDescription('10.11.19-MariaDB'),
  ],
  begin: (sequence: number): Buffer => event(EventType.mariadbGtid, Buffer.concat([le(sequence, 8), le(0, 4), le(0, 1), le(0, 6)])),
  alone: (sequence: number): Buffer =>
    event(EventType.mariadbGtid, Buffer.concat([le(sequence, 8), le(0, 4), le(STANDALONE, 1), le(0, 6)])),
  insert: (table: TestTable, ...rows: readonly TestRow[]): Buffer[] => [tableMap(table), rowsEvent('c', table, rows)],
  update: (table: TestTable, ...rows: readonly TestRow[]): Buffer[] => [tableMap(table), rowsEvent('u', table, rows)],
  /** `at`: where the file goes on behind it. */
  commit: (at: number): Buffer => event(EventType.xid, le(1, 8), { nextPosition: at }),
  raw: (type: number, body: Buffer): Buffer => event(type, body),
} as const;

export interface Rejected {
  readonly input: string | Uint8Array;
  readonly at: string;
  readonly error: Error;
}

/** Its store lasts from one reading to the next, as a source's does. */
export class ReadingWorld {
  readonly store = memoryStore();
  readonly rejected: Rejected[] = [];
  readonly batches: ChangeBatch[] = [];
  /** What a catalog that knows nothing is asked. */
  readonly queries: string[] = [];

  get events(): ChangeEvent[] {
    return this.batches.flatMap((b) => b.events);
  }

  get resume(): Position {
    return this.batches.findLast((b) => b.resume !== null)?.resume ?? placeAfter(1, FILE, 4, '');
  }

  async open(
    more: { readonly maxBatchEvents?: number; readonly snapshots?: Between; readonly rowImage?: 'MINIMAL' | 'NOBLOB' } = {},
  ): Promise<LogReading> {
    const queries = {
      query: (sql: string) => {
        this.queries.push(sql);
        return Promise.resolve([]);
      },
    };
    const ctx = {
      maxBatchEvents: more.maxBatchEvents ?? 100,
      maxBatchBytes: 1 << 20,
      reject: (input: string | Uint8Array, at: string, error: Error) => {
        this.rejected.push({ input, at, error });
        return Promise.resolve();
      },
    } as ReadContext;
    const isTable = (database: string): boolean => database === 'shop';
    const tracker = new SchemaTracker({
      history: await loadHistory(this.store),
      catalog: new Catalog(queries, () => Promise.resolve(true)),
      queries,
      where: 'source "db"',
      isTable,
      isColumn: () => true,
    });
    return new LogReading({
      source: 'db',
      where: 'source "db"',
      tracker,
      ctx,
      behind: this.resume,
      done: doneSet('mariadb', ''),
      identity: LogIdentity.create(this.store, 'source "db"', '1', 'binlog'),
      emitTruncates: true,
      logger: silentLogger,
      snapshots: more.snapshots ?? null,
      prepared: await PreparedTransactions.load(this.store),
      stopped: await StoppedTables.load(this.store),
      rowImage: more.rowImage ?? 'FULL',
      isTable,
    });
  }

  /** Each argument comes in one piece; what is handed over for it is stored. */
  async read(reading: LogReading, ...pieces: readonly (readonly (Buffer | readonly Buffer[])[])[]): Promise<void> {
    for (const piece of pieces) {
      const packets = new Packets();
      for (const bytes of piece.flat() as Buffer[]) packets.push(bytes, 0, bytes.length);
      for await (const batch of reading.take(packets)) this.batches.push(batch);
    }
  }
}
