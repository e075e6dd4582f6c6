// What the log may forget. Pure: whole segments, oldest first, that every reader has released and that are beyond a bound.

export interface Bounds {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number | null;
}

interface Held {
  readonly bytes: number;
  readonly events: number;
  readonly endSeq: number;
  readonly lastTimeMs: number;
  readonly created: boolean;
}

/** A new segment begins at 64 MiB, or at an eighth of a bound, so that an eighth is what whole segments are inexact by. */
const SEGMENT_BYTES = 64 * 1024 * 1024;
const PARTS = 8;

export function totals(segments: readonly Held[]): { bytes: number; events: number } {
  let bytes = 0,
    events = 0;
  for (const segment of segments) {
    bytes += segment.bytes;
    events += segment.events;
  }
  return { bytes, events };
}

export function isExceeded({ bytes, events }: { bytes: number; events: number }, bounds: Bounds): boolean {
  return bytes >= bounds.maxBytes || events >= bounds.maxEvents;
}

/** How many of the oldest may go. The last stays: it says which log this is. `floor`: what all readers have released. */
export function deletable(segments: readonly Held[], floor: number, bounds: Bounds, nowMs: number): number {
  const held = totals(segments);
  let count = 0;
  for (; count < segments.length - 1; count++) {
    const segment = segments[count] as Held,
      next = segments[count + 1] as Held;
    const isOld = bounds.maxAgeMs !== null && nowMs - segment.lastTimeMs > bounds.maxAgeMs;
    if (segment.endSeq > floor || !next.created || !(isOld || isExceeded(held, bounds))) break;
    held.bytes -= segment.bytes;
    held.events -= segment.events;
  }
  return count;
}

/** Is it time for a new segment? One without events is never left. */
export function isDue(
  active: Held & { readonly header: { readonly timeMs: number; readonly base: number } },
  bounds: Bounds,
  nowMs: number,
): boolean {
  if (active.endSeq < active.header.base) return false;
  const isLarge =
    active.bytes >= Math.min(SEGMENT_BYTES, bounds.maxBytes / PARTS) || active.events >= Math.max(1, bounds.maxEvents / PARTS);
  return isLarge || (bounds.maxAgeMs !== null && nowMs - active.header.timeMs > bounds.maxAgeMs / PARTS);
}
