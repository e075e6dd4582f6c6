// What an envelope is: a pure function pair between change events and key/value JSON bytes. One file per shape beside this.

import type { ChangeEvent, EncodedBatch, SourceDescription } from '../sdk/index.ts';

/** What an encoder needs to know beyond the event. Made once per lane. */
export interface EnvelopeContext {
  readonly pipeline: string;
  /** Name of the source component → what it says of itself. */
  readonly sources: { readonly [source: string]: SourceDescription & { fields(event: ChangeEvent): Readonly<Record<string, string | number | null>> } };
  /** Milliseconds since the epoch: when the event is processed. Called once per batch. */
  now(): number;
}

export interface Envelope {
  /** Encodes a batch; topics are `schema.table` unless the adapter names its own. Reuses nothing of earlier calls. */
  encode(events: readonly ChangeEvent[]): EncodedBatch;
}

/** One record of another system in our envelope, back to what the event was made of. */
export interface DecodedRecord {
  readonly op: ChangeEvent['op'];
  readonly table: string;
  readonly schema: string | null;
  readonly database: string | null;
  readonly key: Readonly<Record<string, unknown>> | null;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly sourceTsMs: number | null;
  /** The envelope's id of the event, where it has one. */
  readonly id: string | null;
}
