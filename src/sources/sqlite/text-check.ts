// Tells a text that holds U+FFFD from one whose bytes are no text at all: the driver turns such bytes into U+FFFD.

import type { SqliteDatabase } from '../../util/sqlite.ts';

export class TextCheck {
  readonly #db: SqliteDatabase;
  #encoding: string | null = null;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  /** `sql` selects the bytes (`CAST(… AS BLOB)`) that were read as `text`. */
  isExact(text: string, sql: string, parameters: readonly unknown[]): boolean {
    const bytes = this.#db
      .prepare(sql)
      .pluck()
      .get(...parameters);
    return bytes instanceof Uint8Array && this.#encode(text).equals(bytes);
  }

  #encode(text: string): Buffer {
    this.#encoding ??= String(this.#db.pragma('encoding', { simple: true }));
    if (this.#encoding === 'UTF-8') return Buffer.from(text);
    const bytes = Buffer.from(text, 'utf16le');
    return this.#encoding === 'UTF-16be' ? bytes.swap16() : bytes;
  }
}
