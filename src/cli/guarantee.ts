// Which guarantee a source × destination pair has, and why. Derived from declared capabilities alone; `plan` prints it. Pure.

import type { DestinationCapabilities } from '../sdk/destination.ts';
import type { SourceCapabilities } from '../sdk/source.ts';

export interface Guarantee {
  readonly kind: 'effectively-once' | 'at-least-once';
  /** A repeat changes nothing: what matters to most is the end state. */
  readonly repeatsHarmless: boolean;
  readonly reason: string;
}

const NO_POINT = 'no position is stored there';

/**
 * | source | destination | guarantee |
 * |---|---|---|
 * | log | holds our point with the data | effectively-once |
 * | any | idempotent | at-least-once, repeats harmless |
 * | any | neither | at-least-once |
 */
export function guaranteeOf(
  source: Pick<SourceCapabilities, 'ordering'>,
  destination: Pick<DestinationCapabilities, 'holdsPoint' | 'idempotent'>,
): Guarantee {
  if (source.ordering === 'log' && destination.holdsPoint) {
    return { kind: 'effectively-once', repeatsHarmless: true, reason: 'the position is stored there with the data' };
  }
  const queue =
    source.ordering === 'queue' && destination.holdsPoint ? 'the source redelivers messages and has no lasting positions' : null;
  if (destination.idempotent) {
    return { kind: 'at-least-once', repeatsHarmless: true, reason: `${queue ?? NO_POINT}; repeats leave the same state` };
  }
  return { kind: 'at-least-once', repeatsHarmless: false, reason: `${queue ?? NO_POINT}; after a crash some events come twice` };
}
