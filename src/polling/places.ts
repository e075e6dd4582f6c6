// Places of a polled table as text: watermark and key of the last row, each with a letter for how it sorts.
//
// | value | text |
// |---|---|
// | 42 (any integer) | `i42` |
// | a date or time, as the server writes it | `t2024-05-01 10:00:00.5+00` |
// | a text that sorts by its bytes | `sabc` |
// | a text that sorts by its bytes as if blanks went on behind it | `pabc` |

// | anything else, whose order only the server knows | `xabc` |
//
// `["t2024-05-01 10:00:00+00","i7"]`: row 7 of that time. Of a query a last part says the watermark before that one, which is
// what `:last_sync` becomes: `["t2024-05-01 10:00:00+00","i7","b2024-04-30 09:00:00+00"]`. It has no part in the order.

import type { Position, PositionCodec } from '../sdk/index.ts';

export type OrderKind = 'i' | 't' | 's' | 'p' | 'x';

const BEFORE = 'b';

/** `texts`: a JSON array, as the server gave them. `before`: the watermark before, where it is carried. */
export function formatPollPlace(texts: string, kinds: readonly OrderKind[], before: string | null = null): Position {
  const parts = (JSON.parse(texts) as string[]).map((text, i) => `${kinds[i] ?? 'x'}${text}`);
  return JSON.stringify(before === null ? parts : [...parts, BEFORE + before]) as Position;
}

/** The parts that places are ordered by. */
const orderedParts = (position: string): string[] => (JSON.parse(position) as string[]).filter((part) => part[0] !== BEFORE);

/** The watermark before that of the place; `null`: it carries none. */
export function watermarkBefore(position: string): string | null {
  const last = (JSON.parse(position) as string[]).at(-1);
  return last?.[0] === BEFORE ? last.slice(1) : null;
}

/** The texts for the server; `null` when it is no place of ours. */
export function pollTexts(position: string): string[] | null {
  try {
    const parts: unknown = JSON.parse(position);
    if (!Array.isArray(parts) || parts.length === 0 || !parts.every((p) => typeof p === 'string' && /^[itspxb]/.test(p))) return null;
    const ordered = orderedParts(position);
    return ordered.length === 0 ? null : ordered.map((p) => p.slice(1));
  } catch {
    return null;
  }
}

const TIME = /^(\d+)-(\d\d-\d\d(?: \d\d:\d\d:\d\d)?)(\.\d+)?(?:\+00)?( BC)?$/;

/** A text that sorts like the time; `null` when it is none. */
function timeKey(text: string): string | null {
  if (text === '-infinity') return '-';
  if (text === 'infinity') return '~';
  const [, year, rest = '', fraction = '', isBefore] = TIME.exec(text) ?? [];
  if (year === undefined || isBefore !== undefined) return null;
  return `0${year.padStart(6, '0')}-${rest.padEnd(14, ' 00:00:00')}${fraction.padEnd(7, fraction === '' ? '.000000' : '0')}`;
}

const compareBytes = (a: string, b: string): -1 | 0 | 1 => Buffer.compare(Buffer.from(a), Buffer.from(b)) as -1 | 0 | 1;

function compareValues(a: string, b: string): -1 | 0 | 1 | null {
  if (a === b) return 0;
  const kind = a[0],
    [x, y] = [a.slice(1), b.slice(1)];
  if (kind !== b[0] || kind === 'x') return null;
  if (kind === 'i') return BigInt(x) < BigInt(y) ? -1 : BigInt(x) > BigInt(y) ? 1 : 0;
  if (kind === 's') return compareBytes(x, y);
  if (kind === 'p') {
    const length = Math.max(x.length, y.length);
    return compareBytes(x.padEnd(length), y.padEnd(length));
  }
  const [s, t] = [timeKey(x), timeKey(y)];
  return s === null || t === null ? null : s < t ? -1 : s > t ? 1 : 0;
}

export function comparePollPlaces(a: string, b: string): -1 | 0 | 1 | null {
  const [x, y] = [orderedParts(a), orderedParts(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const order = compareValues(x[i] as string, y[i] as string);
    if (order !== 0) return order;
  }
  return x.length === y.length ? 0 : x.length < y.length ? -1 : 1;
}

export const pollPositions: PositionCodec = {
  sortable: false,
  compare: comparePollPlaces,
  // What cannot be ordered is not covered: it comes again rather than never.
  covers: (point, position) => (comparePollPlaces(position, point) ?? 1) <= 0,
  describe(position) {
    const [watermark, ...key] = pollTexts(position) ?? [position];
    return key.length === 0 ? `watermark ${watermark}` : `watermark ${watermark}, key ${key.join(', ')}`;
  },
  parse: (text) => (pollTexts(text) === null ? null : (text as Position)),
};
