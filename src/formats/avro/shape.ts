// How the envelopes look in Avro: what a table's schemas are, and which records become of an event.

import type { RecordWriter } from '../../envelope/record-writer.ts';
import type { ChangeEvent, Row } from '../../sdk/index.ts';
import type { Sink } from './binary.ts';

/** A table, prepared. */
export interface AvroTable {
  /** The topic by the envelope. */
  readonly topic: string;
  /** `null`: it has no key. */
  readonly keySchema: string | null;
  readonly valueSchema: string;
  /** Full names of the records, for subjects that are named after them. */
  readonly keyName: string;
  readonly valueName: string;
}

/** What stands before the data of keys and values: the ids of their schemas. */
export interface Heads {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array;
}

/** Writes one key; `false`: there is none. */
export type KeyWriter = (out: Sink, event: ChangeEvent, key: Row | null) => boolean;

export interface AvroShape<T extends AvroTable = AvroTable> {
  /** Cached by table and source. */
  prepare(event: ChangeEvent): T;
  /** Before the events of a batch. */
  begin(): void;
  /** Has the shape a record for the event? Those of another schema than their table's (messages) are made by `GeneralRecords`. */
  takes(event: ChangeEvent): boolean;
  encode(event: ChangeEvent, index: number, table: T, heads: Heads, out: RecordWriter): void;
}
