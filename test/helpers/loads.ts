// Loads of a lane as its batcher would collect them.

import { type Load, loadOf } from '../../src/engine/lane-load.ts';
import type { LogBatch } from '../../src/log/change-log.ts';
import { ChangeEvent, positionOfNumber } from '../../src/sdk/index.ts';
import { ITEMS } from '../../src/sdk/testing/index.ts';

interface Part {
  /** Positions; several may be equal. */
  readonly ids: readonly number[];
  readonly whole: boolean;
}

const eventAt = (n: number): ChangeEvent =>
  new ChangeEvent({
    op: 'c',
    table: ITEMS,
    source: 'log',
    partition: 'main',
    position: positionOfNumber(n),
    sourceTsMs: 0,
    after: { id: n },
  });

/** One load of several log batches. */
export function collected(parts: readonly Part[]): Load {
  let seq = 0,
    before = { sources: {}, snapshots: [] } as LogBatch['before'];
  const stretches = parts.map(({ ids, whole }) => {
    const events = ids.map(eventAt),
      firstSeq = seq + 1,
      endSeq = seq + events.length + 1;
    seq = endSeq;
    const after = { sources: { log: { main: positionOfNumber(ids.at(-1) as number) } }, snapshots: [] };
    const batch = { source: 'log', partition: 'main', events, bytes: 100, snapshots: [], after, whole, firstSeq, endSeq, before };
    before = after;
    return { batch, from: 0, to: events.length, kept: events, snapshots: [], after, endSeq };
  });
  const events = stretches.flatMap((s) => s.kept);
  return loadOf({ events, pieces: stretches, stretches, own: null, lastSeq: seq, place: before, isBarrier: false });
}
