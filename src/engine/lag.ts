// How far a place is behind the end of its source's log, as the source told it. Pure.

import type { Lag, PartitionPositions, PositionCodec } from '../sdk/index.ts';

/** Bytes of all partitions together; `null`: it cannot be told. */
export function bytesBehind(codec: PositionCodec, lag: Lag | null, places: PartitionPositions): number | null {
  const ends = Object.entries(lag?.end ?? {});
  if (ends.length === 0 || codec.bytesBetween === undefined) return null;
  let bytes = 0;
  for (const [partition, end] of ends) {
    const at = places[partition],
      between = at === undefined ? null : codec.bytesBetween(at, end);
    if (between === null) return null;
    bytes += between;
  }
  return bytes;
}
