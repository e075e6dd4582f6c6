// What the decoder throws for bytes that are no pgoutput message: never a guess, never a hang.

export class PgoutputError extends Error {
  override readonly name = 'PgoutputError';
  /** Where in the message, counted from its first byte. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset} of the message`);
    this.offset = offset;
  }
}
