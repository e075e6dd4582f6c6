// Places in a SQLite source as text. Two kinds, one per `cdc_mode`:
//
// | mode | place | text |
// |---|---|---|
// | trigger | change 42 of 2024-05-01T10:00:00Z | `0000000000000042-1714557600000` |
// | trigger, row 3 of chunk 2 read after change 42 | | `0000000000000042-1714557600000.r.<run>.2.3` |
// | polling | watermark '2024-05-01', key 7 | `["t2024-05-01","i7"]` |
//
// The time of the change is part of the place because it tells histories apart: a database that was restored from a backup
// counts on from an older number.

import { type Position, type PositionCodec, sortablePositions } from '../../sdk/index.ts';
import type { Stored } from './types.ts';

/** Number and time (ms since the epoch) of a change. Change 0 at time 0 is before the first one. */
export interface ChangePlace {
  readonly id: number;
  readonly ts: number;
}

export const FIRST_PLACE: ChangePlace = { id: 0, ts: 0 };
/** The only partition in mode `trigger`: all tables share one log. */
export const LOG_PARTITION = 'main';

/** Changes of one statement have the same time, and neighbours the same leading digits: both are kept from call to call. */
const cache = { head: -1, headText: '', ts: -1, tsText: '' };
const TAIL = 10_000;

export function formatPlace({ id, ts }: ChangePlace): Position {
  const head = Math.floor(id / TAIL);
  if (head !== cache.head) {
    cache.head = head;
    cache.headText = String(head).padStart(12, '0');
  }
  if (ts !== cache.ts) {
    cache.ts = ts;
    cache.tsText = String(ts).padStart(13, '0');
  }
  return `${cache.headText}${String(id % TAIL).padStart(4, '0')}-${cache.tsText}` as Position;
}

/** `null` when the text is not a place of ours. */
export function parsePlace(position: string): ChangePlace | null {
  const match = /^(\d{16})-(\d{13})/.exec(position);
  return match === null ? null : { id: Number(match[1]), ts: Number(match[2]) };
}

export const changePositions: PositionCodec = {
  ...sortablePositions('change'),
  describe(position) {
    const place = parsePlace(position);
    if (place === null) return position;
    return place.id === 0 ? 'before the first change' : `change ${place.id} of ${new Date(place.ts).toISOString()}`;
  },
  fields: (position) => ({ change_id: parsePlace(position)?.id ?? null }),
  // `42` alone lacks the time by which the source knows its own history.
  parse: (text) => (/^\d{16}-\d{13}$/.test(text) ? (text as Position) : parseDescribed(text)),
};

/** `change 42 of 2024-05-01T10:00:00.000Z`, as `describe` says it. */
function parseDescribed(text: string): Position | null {
  const [, id, time] = /^(?:change )?(\d{1,15}) of (\S+)$/.exec(text) ?? [];
  const ts = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ts) ? null : formatPlace({ id: Number(id), ts });
}

// -- values as text ------------------------------------------------------------------------------------------------------

/** One value without loss: its storage class and its content. `n`, `i42`, `r1.5`, `ttext`, `b00ff`. */
export function formatStored(value: Stored): string {
  if (value === null) return 'n';
  if (typeof value === 'bigint') return `i${value}`;
  if (typeof value === 'number') return `r${Object.is(value, -0) ? '-0' : value}`;
  return typeof value === 'string' ? `t${value}` : `b${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
}

export function parseStored(text: string): Stored {
  const rest = text.slice(1);
  switch (text[0]) {
    case 'n':
      return null;
    case 'i':
      return BigInt(rest);
    case 'r':
      return Number(rest);
    case 't':
      return rest;
    case 'b':
      return Buffer.from(rest, 'hex');
    default:
      throw new TypeError(`not a stored value: ${text.slice(0, 20)}`);
  }
}

/** The same as `JSON.stringify(values.map(formatStored))`, at a third of its cost: each polled row has one. */
export function formatTuple(values: readonly Stored[]): string {
  let text = '[';
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as Stored;
    if (i > 0) text += ',';
    text += typeof value === 'bigint' ? `"i${value}"` : JSON.stringify(formatStored(value));
  }
  return `${text}]`;
}

export function parseTuple(text: string): Stored[] {
  const parts: unknown = JSON.parse(text);
  if (!Array.isArray(parts) || !parts.every((p) => typeof p === 'string'))
    throw new TypeError(`not a list of stored values: ${text.slice(0, 40)}`);
  return parts.map(parseStored);
}

/** SQLite's own order: NULL, numbers, texts by their UTF-8 bytes, blobs. https://www.sqlite.org/datatype3.html#sort_order */
export function compareStored(a: Stored, b: Stored): -1 | 0 | 1 {
  const classes = classOf(a) - classOf(b);
  if (classes !== 0) return classes < 0 ? -1 : 1;
  if (a === null || b === null) return 0;
  // JavaScript compares a bigint with a number exactly, as SQLite does.
  if (typeof a === 'bigint' || typeof a === 'number') return a < (b as number) ? -1 : a > (b as number) ? 1 : 0;
  const x = typeof a === 'string' ? Buffer.from(a) : a,
    y = typeof b === 'string' ? Buffer.from(b) : (b as Uint8Array);
  return Buffer.compare(x, y) as -1 | 0 | 1;
}

function classOf(value: Stored): number {
  if (value === null) return 0;
  return typeof value === 'string' ? 2 : value instanceof Uint8Array ? 3 : 1;
}

export function compareTuples(a: readonly Stored[], b: readonly Stored[]): -1 | 0 | 1 {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareStored(a[i] as Stored, b[i] as Stored);
    if (order !== 0) return order;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

// -- polling -------------------------------------------------------------------------------------------------------------

/**
 * Where polling stands: the watermark and key of the last row; for a `query` also the watermark before, because rows that
 * share a watermark are asked for again by `:last_sync`.
 */
export interface PollPlace {
  readonly tuple: readonly Stored[];
  readonly before?: Stored;
}

export function formatPoll({ tuple, before }: PollPlace): Position {
  const text = formatTuple(tuple);
  return (before === undefined ? text : `{"at":${text},"before":${JSON.stringify(formatStored(before))}}`) as Position;
}

export function parsePoll(position: string): PollPlace {
  if (position.startsWith('[')) return { tuple: parseTuple(position) };
  const { at, before } = JSON.parse(position) as { at: string[]; before: string };
  return { tuple: at.map(parseStored), before: parseStored(before) };
}

const compareRows = (a: Position, b: Position): -1 | 0 | 1 => compareTuples(parsePoll(a).tuple, parsePoll(b).tuple);

export const pollPositions: PositionCodec = {
  sortable: false,
  compare: compareRows,
  covers: (point, position) => compareRows(position, point) <= 0,
  describe(position) {
    const [watermark, ...key] = parsePoll(position).tuple.map((v) =>
      v instanceof Uint8Array ? `x'${Buffer.from(v).toString('hex')}'` : String(v),
    );
    return key.length === 0 ? `watermark ${watermark}` : `watermark ${watermark}, key ${key.join(', ')}`;
  },
  // A watermark in words does not say its type or its key, so there is only the stored form.
  parse(text) {
    try {
      return parsePoll(text).tuple.length > 0 ? (text as Position) : null;
    } catch {
      return null;
    }
  },
};
