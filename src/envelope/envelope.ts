// What an envelope is: a pure function pair between change events and key/value JSON bytes. One file per shape beside this;
// `create.ts` is the door.

import type { ChangeEvent, EncodedBatch, LogicalMessage, RecordContext, Row, Static, Transaction, TSchema } from '../sdk/index.ts';

export type { RecordContext as EnvelopeContext, SourceFields } from '../sdk/index.ts';

export interface Envelope {
  /**
   * Encodes a batch; topics are `schema.table` unless the adapter or the envelope names its own. Reuses nothing of earlier
   * calls, and the same events give the same records. Never fails for a value: what does not fit its column's type is
   * written by its JS type.
   */
  encode(events: readonly ChangeEvent[]): EncodedBatch;
}

/** One record of another system in our envelope, back to what the event was made of. */
export interface DecodedRecord {
  readonly op: ChangeEvent['op'];
  readonly table: string;
  readonly schema: string | null;
  readonly database: string | null;
  readonly key: Row | null;
  readonly before: Row | null;
  readonly after: Row | null;
  readonly sourceTsMs: number | null;
  /** The envelope's id of the event, where it has one. */
  readonly id: string | null;
  /** `after` lacks columns that the row has. */
  readonly incomplete?: true;
  /** Of op `m`. */
  readonly message?: LogicalMessage;
  /** Where the producer tells. */
  readonly transaction?: Pick<Transaction, 'id' | 'order' | 'collectionOrder'>;
}

/** What one shape offers. `create.ts` lists them all. */
export interface EnvelopeShape<S extends TSchema = TSchema> {
  /** The options as TypeBox schema: validation, defaults, reference page. */
  readonly options: S;
  create(options: Static<S>, ctx: RecordContext): Envelope;
}

/** One whose records say what the event was. */
export interface ReadableShape<S extends TSchema = TSchema> extends EnvelopeShape<S> {
  /** Throws `SOURCE_DATA_INVALID` for bytes that are not of this shape. `key`: the record's key, where it has one. */
  decode(value: Uint8Array, key: Uint8Array | null): DecodedRecord;
}
