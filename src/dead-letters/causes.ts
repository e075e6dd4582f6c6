// Letters grouped by what went wrong. Pure.

import { createHash } from 'node:crypto';
import type { DeadLetter } from '../engine/api.ts';

export interface Cause {
  readonly code: string;
  readonly component: string;
  readonly stage: DeadLetter['stage'];
  readonly lane: string | null;
  /** The message with its values left out. */
  readonly pattern: string;
  count: number;
  firstMs: number;
  lastMs: number;
  /** The first of them. */
  readonly sample: DeadLetter;
}

export class Causes {
  readonly #byKey = new Map<string, Cause>();

  add(letter: DeadLetter): void {
    const { error, component, stage, lane, firstMs, lastMs } = letter,
      pattern = patternOf(error.message);
    const key = JSON.stringify([error.code, component, lane, stage, pattern]);
    const known = this.#byKey.get(key);
    if (known === undefined) {
      this.#byKey.set(key, { code: error.code, component, stage, lane, pattern, count: 1, firstMs, lastMs, sample: letter });
      return;
    }
    known.count++;
    known.firstMs = Math.min(known.firstMs, firstMs);
    known.lastMs = Math.max(known.lastMs, lastMs);
  }

  /** Most letters first. */
  list(): readonly Cause[] {
    return [...this.#byKey.values()].sort((a, b) => b.count - a.count || a.firstMs - b.firstMs);
  }
}

/**
 * | message | pattern |
 * |---|---|
 * | `value "abc" is too long at 12` | `value "…" is too long at #` |
 * | `key (id)=(7) is there, at orders/main/0000000000000042` | `key (id)=(#) is there, at orders/main/#` |
 * | `3f2a91bc-0000-4000-8000-000000000000 is gone` | `# is gone` |
 */
export function patternOf(message: string): string {
  return message
    .replaceAll(/"(?:[^"\\]|\\.)*"|'[^']*'/g, (quoted) => `${quoted[0]}…${quoted[0]}`)
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b[0-9a-f]{16,}\b|\d+(?:\.\d+)?/gi, '#');
}

/** What people type instead of an id: eight digits of its hash. */
export function shortIdOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 8);
}
