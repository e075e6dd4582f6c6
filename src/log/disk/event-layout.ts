// How the events of one record stand in its bytes; event-encoder.ts writes them, event-decoder.ts reads them. What events of a batch
// have in common stands once: column names per shape of row, the table by its number in the segment's dictionary, source and
// partition in the record's summary.

import type { Op } from '../../sdk/index.ts';

export const OPS: readonly Op[] = ['c', 'u', 'd', 'r', 't', 'm', 's'];
// First byte of an event: the operation in three bits, then
export const OTHER_TABLE = 0x08,
  OTHER_ORIGIN = 0x10,
  INCOMPLETE = 0x20,
  BEFORE = 0x40,
  AFTER = 0x80;
// and the second:
export const TRANSACTION = 0x01,
  KEY = 0x02,
  SNAPSHOT = 0x04,
  SAME_SNAPSHOT = 0x08,
  HEADERS = 0x10,
  EXTRAS = 0x20,
  DERIVED = 0x40,
  NULL_KEY = 0x80;
/** Both at once say that the event is of no snapshot, and that its position stands in the binary part. */
export const BINARY_POSITION = SNAPSHOT | SAME_SNAPSHOT;
export interface Origin {
  readonly source: string;
  readonly partition: string;
}
