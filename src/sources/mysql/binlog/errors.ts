// What the decoder throws for bytes that it cannot or must not read: never a guess, never a hang. Turned into errors for people
// where the stream is read.

/**
 * | reason | what it means |
 * |---|---|
 * | `checksum` | the CRC32 at the end of an event is not that of its bytes |
 * | `malformed` | bytes that are no such event: cut off, left over, a length that cannot be |
 * | `unknown` | a type of event or of column that is not known here, and may not be passed over |
 * | `too_large` | what is packed is larger than the limit |
 * | `unsupported` | known, and not readable here |
 */
export type BinlogErrorReason = 'checksum' | 'malformed' | 'unknown' | 'too_large' | 'unsupported';

export class BinlogError extends Error {
  override readonly name = 'BinlogError';
  readonly reason: BinlogErrorReason;
  /** Where in the event, counted from its first byte; -1: not at one place. */
  readonly offset: number;

  constructor(reason: BinlogErrorReason, message: string, offset = -1) {
    super(offset < 0 ? message : `${message} at byte ${offset} of the event`);
    this.reason = reason;
    this.offset = offset;
  }
}
