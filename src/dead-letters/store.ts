// A dead letter queue that can be read: what the `dlq` commands need beside writing. The contract of all of them is tested by
// test/unit/dead-letters/contract.ts.

import type { DeadLetter, DeadLetterQueue, ReplayMark } from '../engine/api.ts';

/** Everything it holds is as it was put: protection is a matter of who writes and reads. Errors are `DLQ_UNAVAILABLE`. */
export interface DeadLetterStore extends DeadLetterQueue {
  /** In the order in which they first came. Those that come meanwhile may be left out. */
  letters(): AsyncIterable<DeadLetter>;
  get(id: string): Promise<DeadLetter | null>;
  /** For good. Returns how many there were of them. Durable when it resolves. */
  remove(ids: ReadonlySet<string>): Promise<number>;
  /** Stored before a replay sends the letters, so that the next one knows if this one is interrupted. Durable when it resolves. */
  mark(ids: readonly string[], mark: ReplayMark): Promise<void>;
}
