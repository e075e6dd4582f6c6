// Why a value cannot be had as another type.

/** The message ends a sentence and names no value: it goes to logs and dead letters. */
export class Unconvertible extends Error {
  override readonly name = 'Unconvertible';
}
