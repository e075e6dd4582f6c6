// Which letters are in the queue already, in bounded memory. Pure.

import { createHash } from 'node:crypto';

/**
 * Remembers the last `limit` ids by a hash of 132 bits. Two ids with the same hash would make a letter vanish, so the
 * hash is one for which that cannot happen. An id that was forgotten is written a second time, which loses nothing.
 */
export class RecentIds {
  readonly #limit: number;
  /** In order of arrival: the first is the oldest. */
  readonly #hashes = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(id: string): boolean {
    return this.#hashes.has(hash(id));
  }

  add(id: string): void {
    this.#hashes.add(hash(id));
    if (this.#hashes.size <= this.#limit) return;
    const [oldest] = this.#hashes;
    if (oldest !== undefined) this.#hashes.delete(oldest);
  }

  clear(): void {
    this.#hashes.clear();
  }
}

function hash(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 22);
}
