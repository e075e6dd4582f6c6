// What a destination's author writes for `describeDestination`: how to read back what is stored, and how to break the
// system. Everything optional switches on cases; a case that cannot run says why.

import {
  additiveOnly,
  type ChangeEvent,
  type Column,
  type ColumnType,
  type Destination,
  type DestinationCapabilities,
  type DestinationDescriptor,
  type EncodedBatch,
  type PointHoldingDestination,
  type ResumePoint,
  type Row,
  type TableSchema,
  type Value,
  type WriteResult,
} from '../index.ts';
import { type BatchOptions, type Events, LANE, laneBatch, pointAt } from './batches.ts';
import { encodeFake } from './fakes/envelope.ts';
import { testContext, within } from './reading.ts';
import { ITEMS } from './sample-tables.ts';

/** What a destination does with rows. `partial`: updates some columns of a row. `move`: a row gets another key. */
export type RowOp = 'insert' | 'update' | 'delete' | 'truncate' | 'partial' | 'move';

/**
 * A place of its own for one case.
 *
 * @example
 * const start = async (): Promise<DestinationHarness> => {
 *   const db = await createDatabase();
 *   return { config: { url: db.url, table: 'items' }, ops: ['insert', 'update', 'delete'], rows: (t) => db.select(t), close: () => db.drop() };
 * };
 * describeDestination(descriptor, start);
 */
export interface DestinationHarness {
  /** The destination's complete configuration: defaults filled in, units resolved. */
  readonly config: unknown;
  /** What happens to a row. A destination of records has all of them. */
  readonly ops: readonly RowOp[];
  /** Makes a table, where the destination does not do that itself. */
  prepare?(table: TableSchema): Promise<void>;
  /** For destinations of rows: the table's rows now, in any order, columns as `sdk/value.ts` says. */
  rows?(table: TableSchema): Promise<readonly Row[]>;
  /** For destinations of records: the values in order; `null` is a tombstone. */
  records?(): Promise<readonly (Uint8Array | null)[]>;
  /** The records of events, where the destination needs an envelope of its own. */
  encode?(events: readonly ChangeEvent[]): EncodedBatch;
  close(): Promise<void>;
  /** Configurations with one thing wrong, for `check`. */
  readonly unreachable?: unknown;
  readonly forbidden?: unknown;
  readonly misconfigured?: unknown;
  /** An event that the system refuses for good. */
  poison?(events: Events): ChangeEvent;
  /** An event larger than the system takes. */
  oversize?(events: Events): ChangeEvent;
  /** Takes the system away; the returned function brings it back. */
  outage?(): Promise<() => Promise<void>>;
  /** The reply to the next write is lost after its commit. */
  loseReply?(): Promise<void>;
  /** Types that it can keep; all of `TYPE_SAMPLES` unless given. */
  readonly types?: readonly ColumnType[];
  /** What reading back gives for a value that is kept in another form. */
  expected?(column: Column, value: Value): Value;
}

/** One running case: its harness, its sessions, and the point they have reached. */
export class DestinationTest {
  readonly harness: DestinationHarness;
  readonly capabilities: DestinationCapabilities;
  readonly #descriptor: DestinationDescriptor;
  readonly #opened: Destination[] = [];
  #point: ResumePoint = pointAt(0);

  constructor(descriptor: DestinationDescriptor, harness: DestinationHarness) {
    this.#descriptor = descriptor;
    this.harness = harness;
    this.capabilities = descriptor.capabilities(harness.config as never);
  }

  get point(): ResumePoint {
    return this.#point;
  }

  /** A session as it is made, nothing called yet. */
  async create(config: unknown = this.harness.config): Promise<Destination> {
    const context = { ...testContext(this.#descriptor.type), schemaEvolution: additiveOnly };
    const destination = await this.#descriptor.create(config as never, context);
    this.#opened.push(destination);
    return destination;
  }

  /** A session that the lane has joined under this epoch; `items` is ready. */
  async open(epoch = 1, table: TableSchema = ITEMS): Promise<Destination> {
    await this.harness.prepare?.(table);
    const destination = await this.create();
    const committed = await destination.committed(LANE);
    if (!this.capabilities.holdsPoint) return destination;
    const holding = destination as PointHoldingDestination;
    await holding.claim(LANE, epoch);
    this.#point = { ...(committed.kind === 'points' ? (committed.points[0] as ResumePoint) : pointAt(0)), epoch };
    await holding.setPoints(LANE, epoch, [this.#point]);
    return destination;
  }

  /** Writes what follows the point; when it is stored the point moves. */
  async write(destination: Destination, events: readonly ChangeEvent[], options: BatchOptions = {}): Promise<WriteResult> {
    const batch = laneBatch(events, { previous: this.#point, encode: (e) => this.encode(e), epoch: this.#point.epoch, ...options });
    const result = await within(destination.write(batch, new AbortController().signal), 'write() did not return');
    if (result.kind !== 'stored') return result;
    this.#point = batch.through;
    // The bytes were the batch's: another batch may be written over them now.
    if (this.capabilities.input === 'bytes') for (const bytes of [...batch.encoded().key, ...batch.encoded().value]) bytes?.fill(0);
    return result;
  }

  encode(events: readonly ChangeEvent[]): EncodedBatch {
    return (this.harness.encode ?? encodeFake)(events);
  }

  /** What is stored, in one form for all: rows by id, or the texts of the records in order. */
  async stored(table: TableSchema = ITEMS): Promise<unknown> {
    const { rows, records } = this.harness;
    if (rows !== undefined) return (await rows(table)).map((r) => ({ ...r })).sort((a, b) => Number(a['id']) - Number(b['id']));
    return (await records?.())?.map(textOf);
  }

  /** What must be stored: these rows, or the records of these events. */
  expected(rows: readonly Row[], events: readonly ChangeEvent[]): unknown {
    return this.harness.rows === undefined ? this.encode(events).value.map(textOf) : rows.map((r) => ({ ...r }));
  }

  async close(): Promise<void> {
    try {
      for (const destination of this.#opened) await within(destination.close(), 'close() did not return');
    } finally {
      await this.harness.close();
    }
  }
}

const textOf = (value: Uint8Array | null): string | null => (value === null ? null : Buffer.from(value).toString());
