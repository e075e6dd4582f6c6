// What a stream is opened with.

import type { Clock, Logger } from '../../../sdk/index.ts';
import type { ErrorPlace } from '../errors.ts';

export interface StreamSettings {
  readonly slot: string;
  readonly publications: readonly string[];
  /** Where to begin: the first part of the stored position. 0 = where the slot stands. */
  readonly from: bigint;
  /** `status_interval` of the configuration. */
  readonly statusIntervalMs: number;
  /** Bytes that may wait for `next` before the socket pauses. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly place: ErrorPlace;
}
