// What an envelope is: a pure function pair between change events and key/value JSON bytes. One file per shape beside this;
// `create.ts` is the door.

import type { ChangeEvent, EncodedBatch, Row, SourceDescription, Static, TSchema } from '../sdk/index.ts';

/** The source's own fields of an event's position, as they appear in an envelope's `source` block: `lsn`, `txId`, `file`, `pos` … */
export type SourceFields = Readonly<Record<string, string | number | bigint | null>>;

/** What an encoder needs to know beyond the event. Made once per lane. */
export interface EnvelopeContext {
  readonly pipeline: string;
  /** Name of the source component → what it says of itself. */
  readonly sources: { readonly [source: string]: SourceDescription & { fields(event: ChangeEvent): SourceFields } };
  /** Milliseconds since the epoch: when the event is processed. Called once per batch. */
  now(): number;
  /** Of the program, for envelopes that carry it. */
  readonly version?: string;
}

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
}

/** What one shape offers. `create.ts` lists them all. */
export interface EnvelopeShape<S extends TSchema = TSchema> {
  /** The options as TypeBox schema: validation, defaults, reference page. */
  readonly options: S;
  create(options: Static<S>, ctx: EnvelopeContext): Envelope;
  /** Throws `SOURCE_DATA_INVALID` for bytes that are not of this shape. `key`: the record's key, where it has one. */
  decode(value: Uint8Array, key: Uint8Array | null): DecodedRecord;
}
