// The lower edge of a terminal: progress lines that are redrawn in place, with log lines scrolling past above them.

import { truncate } from './format.ts';
import type { Stream } from './output.ts';

/** Cursor to column 1, then clear to the end of the screen. */
const CLEAR_DOWN = '\r\u001b[J';

/** What a terminal has that does not know its width, or says 0. */
const DEFAULT_COLUMNS = 80;

export class Screen {
  readonly #stream: Stream;
  readonly #live: boolean;
  #drawn: readonly string[] = [];

  /** `live`: the stream is a terminal that understands cursor movements. */
  constructor(stream: Stream, live: boolean) {
    this.#stream = stream;
    this.#live = live;
  }

  get live(): boolean {
    return this.#live;
  }

  /** Writes lines that stay, above the progress lines. */
  write(text: string): void {
    this.#stream.write(`${this.#erase()}${text}${this.#text(this.#drawn)}`);
  }

  /** Replaces the progress lines. */
  draw(lines: readonly string[]): void {
    if (!this.#live) return;
    const columns = this.#stream.columns || DEFAULT_COLUMNS;
    // A line that wraps would count as two when it is erased.
    const fitting = lines.map((line) => truncate(line, columns - 1));
    const erase = this.#erase();
    this.#drawn = fitting;
    this.#stream.write(`${erase}${this.#text(fitting)}`);
  }

  /** Removes the progress lines for good. */
  clear(): void {
    if (this.#drawn.length === 0) return;
    this.#stream.write(this.#erase());
    this.#drawn = [];
  }

  /** The cursor stands behind the last progress line: up to the first one, and clear from there. */
  #erase(): string {
    if (this.#drawn.length === 0) return '';
    return `${this.#drawn.length > 1 ? `\u001b[${this.#drawn.length - 1}A` : ''}${CLEAR_DOWN}`;
  }

  #text(lines: readonly string[]): string {
    return lines.join('\n');
  }
}
