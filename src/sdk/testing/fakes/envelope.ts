// A small envelope: JSON of op, before and after; a delete gives two records, the event and a tombstone.

import { type ChangeEvent, type EncodedBatch, formatTableId, type Value } from '../../index.ts';

const utf8 = new TextEncoder();

function plain(_name: string, value: Value): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
const bytesOf = (value: unknown): Uint8Array => utf8.encode(JSON.stringify(value, plain as (name: string, value: unknown) => unknown));

/** Encodes events; `tombstones: false` leaves the second record of a delete out. */
export function encodeFake(events: readonly ChangeEvent[], tombstones = true): EncodedBatch {
  const event: number[] = [],
    topic: string[] = [],
    key: (Uint8Array | null)[] = [],
    value: (Uint8Array | null)[] = [],
    times: number[] = [];
  const push = (i: number, e: ChangeEvent, v: Uint8Array | null): void => {
    event.push(i);
    topic.push(formatTableId(e.table.id));
    key.push(e.key && bytesOf(e.key));
    value.push(v);
    times.push(e.sourceTsMs);
  };
  for (const [i, e] of events.entries()) {
    push(i, e, bytesOf({ op: e.op, before: e.before, after: e.after }));
    if (e.op === 'd' && tombstones) push(i, e, null);
  }
  return { event: Uint32Array.from(event), topic, key, value, headers: event.map(() => null), timestampMs: Float64Array.from(times) };
}
