// What a broker adapter has of the formats: records of a batch as bytes, and messages as what they say. `create.ts` makes both.

import type {
  CdcError,
  ChangeEvent,
  EncodedBatch,
  LaneBatch,
  LogicalMessage,
  Op,
  Row,
  TableSchema,
  Transaction,
  WriteFailure,
} from '../sdk/index.ts';

/**
 * The topic (stream, subject, queue) that a record goes to, from the name that the envelope gives it: schemas are registered under
 * it. The same for all records of a topic, whatever is in them.
 */
export type TopicOf = (event: ChangeEvent, topic: string) => string;

export interface FormattedBatch {
  /** As `batch.encoded()` has them: `topic` is the envelope's name. Events in `failed` have no records here. */
  readonly records: EncodedBatch;
  /** Events that can have none: a value that its schema does not take, a schema that the registry refuses. For `WriteResult`. */
  readonly failed: readonly WriteFailure[];
}

/** Events → records in the configured format. One per destination; calls may overlap. */
export interface RecordEncoder {
  /** Of the values, for brokers that carry it: `application/json`. */
  readonly contentType: string;
  /**
   * The records of a batch. Rejects with a `CdcError`: retriable while the registry is away or, with `on_schema_error: wait`, refuses a
   * schema. Nothing is written half: hand `failed` on as `refused` (or `partial`), then the engine parks those events and calls again.
   */
  encode(batch: LaneBatch, topicOf: TopicOf, signal: AbortSignal): Promise<FormattedBatch>;
  close(): Promise<void>;
}

/** A message as a broker delivered it. */
export interface Message {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>> | null;
}

/** What a message says: everything a `ChangeEvent` needs beside its place. */
export interface DecodedMessage {
  readonly op: Op;
  readonly table: TableSchema;
  /** Absent: taken from the row by the table's key. */
  readonly key?: Row | null;
  readonly before: Row | null;
  readonly after: Row | null;
  /** Commit time at the origin, where the message tells; else take the broker's. */
  readonly sourceTsMs: number | null;
  /** The producer's id of the event, where the message has one: for `messageId`. */
  readonly id: string | null;
  /** `after` lacks columns that the row has. */
  readonly incomplete: boolean;
  readonly message: LogicalMessage | null;
  /** Where the message tells. Whether the event is the last one, it does not. */
  readonly transaction?: Pick<Transaction, 'id' | 'order' | 'collectionOrder'>;
}

/**
 * - a message that was understood,
 * - `null`: nothing to deliver (the tombstone behind a delete): only the position moves,
 * - an error, never retriable: `ReadContext.reject` it, with its bytes (invariant 3).
 */
export type Decoded = DecodedMessage | CdcError | null;

/** Messages → what they say. One per source. */
export interface MessageDecoder {
  /** One answer per message, in order. Rejects with a retriable `CdcError` while the registry is away: deliver nothing, try again. */
  decode(messages: readonly Message[], signal: AbortSignal): Promise<readonly Decoded[]>;
  /** The table of a topic as it was last seen. */
  table(topic: string): TableSchema;
  close(): Promise<void>;
}
