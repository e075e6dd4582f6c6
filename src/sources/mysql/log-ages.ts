// When files of the log were written last, as far as reading them has told: from then on the server counts the time that it keeps them.

/** Reading is never so many files ahead of what is stored. */
const MOST_FILES = 100;

export class LogAges {
  /** Of files that are complete: seconds since 1970, by the server's clock. */
  readonly #written = new Map<number, number>();
  #file = 0;
  #seconds = 0;

  /** An event of a file, in order. */
  see(file: number, seconds: number): void {
    if (file === this.#file) {
      if (seconds > this.#seconds) this.#seconds = seconds;
      return;
    }
    if (seconds === 0) return;
    // The first event of the next file is from when the one before it was closed.
    if (this.#file > 0) this.#written.set(this.#file, file === this.#file + 1 ? Math.max(seconds, this.#seconds) : this.#seconds);
    if (this.#written.size > MOST_FILES) this.#written.delete(this.#written.keys().next().value as number);
    this.#file = file;
    this.#seconds = seconds;
  }

  /** The file was written to at least until then; `null`: nothing of it was read. */
  writtenUntil(file: number): number | null {
    return file === this.#file && file > 0 ? this.#seconds : (this.#written.get(file) ?? null);
  }
}
