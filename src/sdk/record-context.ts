// What an encoder of records knows beside the events. Destinations that write another format than JSON get it with each batch.

import type { ChangeEvent } from './change-event.ts';
import type { SourceDescription } from './source.ts';

/** The source's own fields of an event's position, as they appear in an envelope's `source` block: `lsn`, `txId`, `file`, `pos` … */
export type SourceFields = Readonly<Record<string, string | number | bigint | null>>;

/** Made once per pipeline. */
export interface RecordContext {
  readonly pipeline: string;
  /** Name of the source component → what it says of itself. */
  readonly sources: { readonly [source: string]: SourceDescription & { fields(event: ChangeEvent): SourceFields } };
  /** Milliseconds since the epoch: when the event is processed. Called once per batch. */
  now(): number;
  /** Of the program, for envelopes that carry it. */
  readonly version?: string;
}

/** The envelope of a lane: its type and valid options as the pipeline has them, and what its encoder knows. */
export interface BatchEnvelope {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly context: RecordContext;
}
