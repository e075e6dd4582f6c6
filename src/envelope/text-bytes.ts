// From bytes of text into bytes of JSON. Each function writes at `at`, where the caller made room, and gives the place behind;
// -1, with nothing written that counts, when the text is not of the form that it knows.

const ZERO = 0x30,
  NINE = 0x39,
  MINUS = 0x2d,
  POINT = 0x2e,
  PLUS = 0x2b,
  UPPER_T = 0x54,
  UPPER_Z = 0x5a,
  LINE_FEED = 0x0a,
  RETURN = 0x0d;
/** In a string these two need an escape, and all characters before the third. */
export const QUOTE = 0x22,
  BACKSLASH = 0x5c,
  SPACE = 0x20;

/** From here on a copy by the engine, which needs a view of the bytes (80 ns), beats a loop (0.7 ns a byte). */
const LONG_BYTES = 120;
/** Characters of `2024-02-29 12:34:56` and of `+00`. */
const DATE_TIME = 19,
  UTC_OFFSET = 3;

/** `\u001f`: what one byte of a text takes at most. */
export const MOST_ESCAPED = 6;

/** What stands for each of these characters in a string: `\n`, `\u0001`, `\"`. */
const ESCAPES: readonly (Uint8Array | undefined)[] = Array.from({ length: BACKSLASH + 1 }, (_, c) =>
  c < SPACE || c === QUOTE || c === BACKSLASH ? Buffer.from(JSON.stringify(String.fromCharCode(c)).slice(1, -1)) : undefined,
);

export function putBytes(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  if (end - start > LONG_BYTES) {
    out.set(from.subarray(start, end), at);
    return at + end - start;
  }
  let to = at;
  for (let i = start; i < end; i++) out[to++] = from[i] as number;
  return to;
}

/** With quotes, for text that needs no escape. */
export function putQuoted(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  out[at] = QUOTE;
  const to = putBytes(out, at + 1, from, start, end);
  out[to] = QUOTE;
  return to + 1;
}

/** With quotes and escapes, as JSON.stringify. */
export function putEscaped(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  if (end - start > LONG_BYTES) return putEscapedLong(out, at, from, start, end);
  let to = at;
  out[to++] = QUOTE;
  for (let i = start; i < end; i++) {
    const c = from[i] as number;
    if (c < SPACE || c === QUOTE || c === BACKSLASH) to = putEscape(out, to, c);
    else out[to++] = c;
  }
  out[to++] = QUOTE;
  return to;
}

/** For each byte that takes one or two in a string: those, the first in the lowest byte, and above them how many. 0: it takes more. */
export const ESCAPE_PAIRS = Int32Array.from({ length: 256 }, (_, c) => {
  const escaped = ESCAPES[c] ?? [c];
  return escaped.length > 2 ? 0 : (escaped.length << 16) | ((escaped[1] ?? 0) << 8) | (escaped[0] as number);
});

/** What stands for a character that must not stand by itself. */
export function putEscape(out: Buffer, at: number, character: number): number {
  let to = at;
  if (character === QUOTE || character === BACKSLASH) {
    out[to++] = BACKSLASH;
    out[to++] = character;
    return to;
  }
  const escaped = ESCAPES[character] as Uint8Array;
  for (let k = 0; k < escaped.length; k++) out[to++] = escaped[k] as number;
  return to;
}

/** What needs no escape is copied run by run. */
function putEscapedLong(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  let to = at,
    run = start;
  out[to++] = QUOTE;
  for (let i = start; i < end; i++) {
    const c = from[i] as number;
    if (c >= SPACE && c !== QUOTE && c !== BACKSLASH) continue;
    to = putEscape(out, putBytes(out, to, from, run, i), c);
    run = i + 1;
  }
  to = putBytes(out, to, from, run, end);
  out[to++] = QUOTE;
  return to;
}

/** Bytes that `putEscaped` takes: for texts too long to make room for the worst. */
export function escapedLength(from: Buffer, start: number, end: number): number {
  let length = end - start + 2;
  for (let i = start; i < end; i++) {
    const c = from[i] as number;
    if (c < SPACE || c === QUOTE || c === BACKSLASH) length += (ESCAPES[c] as Uint8Array).length - 1;
  }
  return length;
}

/** A JSON document on one line: line breaks, which only stand between its tokens, become spaces. */
export function putDocument(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  let to = at;
  for (let i = start; i < end; i++) {
    const c = from[i] as number;
    out[to++] = c === LINE_FEED || c === RETURN ? SPACE : c;
  }
  return to;
}

/** A number that is plain digits, which nothing spells otherwise: `1.5`, but not `1e+20` or `NaN`. */
export function putPlainNumber(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  let to = at;
  for (let i = start; i < end; i++) {
    const c = from[i] as number;
    if ((c < ZERO || c > NINE) && c !== POINT && c !== MINUS) return -1;
    out[to++] = c;
  }
  return to;
}

/** `2024-02-29 12:34:56.5` → `"2024-02-29T12:34:56.5"`; not years of five digits, before Christ, or `infinity`. */
export function putTimestamp(out: Buffer, at: number, from: Buffer, start: number, end: number): number {
  if (end - start < DATE_TIME || from[start + 10] !== SPACE || from[start + 4] !== MINUS || (from[end - 1] as number) > NINE) return -1;
  const to = putQuoted(out, at, from, start, end);
  out[at + 11] = UPPER_T;
  return to;
}

/** `2024-02-29 12:34:56.5+00` → `"2024-02-29T12:34:56.5Z"`, with `width` fractional digits; -1: as many as there are. */
export function putTimestamptz(out: Buffer, at: number, from: Buffer, start: number, end: number, width: number): number {
  const stop = end - UTC_OFFSET,
    fraction = stop - start - DATE_TIME - 1;
  if (fraction < -1 || from[start + 10] !== SPACE || from[start + 4] !== MINUS) return -1;
  if (from[stop] !== PLUS || from[stop + 1] !== ZERO || from[stop + 2] !== ZERO || (width >= 0 && fraction > width)) return -1;
  let to = at;
  out[to++] = QUOTE;
  for (let i = start; i < stop; i++) out[to++] = from[i] as number;
  out[at + 11] = UPPER_T;
  if (width > 0) {
    if (fraction < 0) out[to++] = POINT;
    for (let digits = Math.max(fraction, 0); digits < width; digits++) out[to++] = ZERO;
  }
  out[to++] = UPPER_Z;
  out[to++] = QUOTE;
  return to;
}
