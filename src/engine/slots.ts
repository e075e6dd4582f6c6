// Which worker of a lane delivers an event. Events of one key always meet the same worker, in order (invariant 4); what
// touches more than one key is a barrier: everything before it is done, nothing behind it has begun.

import type { ChangeEvent, Row, Value } from '../sdk/index.ts';
import type { ParallelismConfig } from './pipeline-config.ts';

export const BARRIER = -1;

export interface Slots {
  readonly count: number;
  /** What the spreading depends on: with another text or count, points per worker mean nothing. */
  readonly expression: string;
  /** 0 … count - 1, or `BARRIER`. */
  of(event: ChangeEvent): number;
}

/** `partition`: the user's function, for strategy `custom`. */
export function createSlots(
  { workers, strategy, field, ranges }: ParallelismConfig,
  partition: ((event: ChangeEvent) => unknown) | null,
): Slots {
  const byKey = (event: ChangeEvent): number => (event.oldKey === null ? hashed(event, event.key) : BARRIER);
  const byField = (name: string, slot: (event: ChangeEvent, value: Value) => number) => (event: ChangeEvent) => {
    const value = event.get(event.op === 'd' ? 'before' : 'after', name);
    // Where the value before is not known, or another, the row comes from another worker.
    const moves = event.op === 'u' && !(event.table.key.includes(name) ? event.oldKey === null : sameAsBefore(event, name, value));
    return value === undefined || moves ? BARRIER : slot(event, value);
  };
  const spread = {
    hash: field === null ? byKey : byField(field, (event, value) => hashText(`${event.table.id.table}\0${textOf(value)}`)),
    range: byField(field ?? '', (_event, value) => rangeOf(ranges, value)),
    custom: (event: ChangeEvent) => (event.oldKey === null ? customSlot(partition?.(event)) : BARRIER),
  }[strategy];
  return {
    count: workers,
    expression: JSON.stringify([strategy, field, ranges]),
    of(event) {
      if (workers === 1) return event.op === 't' || event.op === 's' || event.op === 'm' ? BARRIER : 0;
      if (event.op !== 'c' && event.op !== 'u' && event.op !== 'd' && event.op !== 'r') return BARRIER;
      const slot = spread(event);
      return slot === BARRIER ? BARRIER : slot % workers;
    },
  };
}

function sameAsBefore(event: ChangeEvent, name: string, value: Value | undefined): boolean {
  const before = event.get('before', name);
  return before !== undefined && value !== undefined && textOf(before) === textOf(value);
}

/** Without a key nothing says which events belong together: one worker takes all of the table. */
function hashed({ table }: ChangeEvent, key: Row | null): number {
  if (key === null) return hashText(table.id.table);
  let text = table.id.table;
  for (const name of table.key) text += `\0${textOf(key[name] ?? null)}`;
  return hashText(text);
}

function rangeOf(ranges: readonly number[], value: Value): number {
  const n = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string' ? Number(value) : Number.NaN;
  if (Number.isNaN(n)) return 0;
  const at = ranges.findIndex((end) => n < end);
  return at < 0 ? ranges.length : at;
}

function customSlot(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  return value === null || value === undefined ? BARRIER : hashText(String(value));
}

function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** FNV-1a over UTF-16 units: the same on every machine and in every version, since points are stored per slot. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
