// Cuts a window of a file's bytes into records. Pure and without state: a window always begins where a record begins.

export interface Cut {
  /** Index of the first byte, … */
  readonly start: number;
  /** … behind the last one without line end, … */
  readonly end: number;
  /** … and of the first byte of the next record. */
  readonly next: number;
  /** Lines that the record takes; elements, for a JSON array. */
  readonly lines: number;
  /** Nothing but a line end or space: no record. */
  readonly blank: boolean;
  /** Ended by a line end; `false` only for the last record at the end of the file. */
  readonly terminated: boolean;
  /** What is wrong with it, when the cut itself shows that. */
  readonly fault: string | null;
}

/**
 * Records from index `from` on. `final`: nothing follows the window, so that an unterminated rest is a record too.
 * What is not cut belongs to a record that does not end in the window.
 */
export type Split = (bytes: Buffer, from: number, final: boolean) => Cut[];

const LF = 10,
  CR = 13,
  SPACE = 32,
  TAB = 9,
  QUOTE = 34,
  BACKSLASH = 92,
  COMMA = 44,
  OPEN = 91,
  CLOSE = 93,
  BRACE_OPEN = 123,
  BRACE_CLOSE = 125;

/** One record per line. Lines of nothing but space are blank. */
export const splitLines: Split = (bytes, from, final) => cutLines(bytes, from, final, isSpace);

/** Records of CSV: line ends within quotes belong to the field. Only empty lines are blank: space is a value. */
export function csvSplitter(delimiter: string, quote: string | null): Split {
  const isCarriageReturn = (byte: number): boolean => byte === CR;
  if (quote === null) return (bytes, from, final) => cutLines(bytes, from, final, isCarriageReturn);
  const quoteByte = quote.charCodeAt(0),
    delimiterByte = delimiter.charCodeAt(0);
  return (bytes, from, final) => {
    const cuts: Cut[] = [];
    let at = from,
      nextQuote = bytes.indexOf(quoteByte, from);
    while (at < bytes.length) {
      if (nextQuote !== -1 && nextQuote < at) nextQuote = bytes.indexOf(quoteByte, at);
      const lineEnd = bytes.indexOf(LF, at);
      // Most lines have no quote: they end where the line does.
      const hasQuote = nextQuote !== -1 && (lineEnd === -1 || nextQuote < lineEnd);
      const end = hasQuote ? recordEnd(bytes, at, quoteByte, delimiterByte) : lineEnd;
      if (end < 0 && !final) break;
      if (end === UNCLOSED) cuts.push({ ...cutLine(bytes, at, lineEnd, isCarriageReturn), fault: 'a quote is opened and never closed' });
      else cuts.push(cutLine(bytes, at, end, isCarriageReturn, hasQuote ? countLines(bytes, at, end === -1 ? bytes.length : end) : 1));
      at = (cuts.at(-1) as Cut).next;
    }
    return cuts;
  };
}

const UNCLOSED = -2;

/** Index of the line end behind the record; -1 when the window ends before it, `UNCLOSED` when it ends within quotes. */
function recordEnd(bytes: Buffer, start: number, quote: number, delimiter: number): number {
  let at = start;
  while (at < bytes.length) {
    if (bytes[at] === quote) {
      // only at the start of a field does a quote open one
      do {
        at = bytes.indexOf(quote, at + 1);
        if (at === -1) return UNCLOSED;
        at++;
      } while (bytes[at] === quote);
    }
    while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== LF) at++;
    if (bytes[at] === LF) return at;
    at++;
  }
  return -1;
}

function cutLines(bytes: Buffer, from: number, final: boolean, isBlank: (byte: number) => boolean): Cut[] {
  const cuts: Cut[] = [];
  let at = from;
  while (at < bytes.length) {
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd === -1 && !final) break;
    const cut = cutLine(bytes, at, lineEnd, isBlank);
    cuts.push(cut);
    at = cut.next;
  }
  return cuts;
}

/** The record from `start` to the line end at `lineEnd`, or to the end of the window when that is -1. */
function cutLine(bytes: Buffer, start: number, lineEnd: number, isBlank: (byte: number) => boolean, lines = 1): Cut {
  const terminated = lineEnd !== -1;
  const stop = terminated ? lineEnd : bytes.length;
  const end = stop > start && bytes[stop - 1] === CR ? stop - 1 : stop;
  let first = start;
  while (first < end && isBlank(bytes[first] as number)) first++;
  return { start, end, next: terminated ? stop + 1 : stop, lines, blank: first === end, terminated, fault: null };
}

function countLines(bytes: Buffer, start: number, end: number): number {
  let lines = 1;
  for (let i = bytes.indexOf(LF, start); i !== -1 && i < end; i = bytes.indexOf(LF, i + 1)) lines++;
  return lines;
}

/**
 * Elements of a JSON array, with `,` and `]` as their ends; the window begins behind the `[` or behind an element's end.
 * A malformed element is cut at the next end on the same level, so that reading goes on behind it.
 */
export const splitArray: Split = (bytes, from, final) => {
  const cuts: Cut[] = [];
  let at = from;
  while (at < bytes.length) {
    const end = elementEnd(bytes, at);
    if (end === -1 && !final) break;
    const cut = cutElement(bytes, at, end);
    cuts.push(cut);
    at = cut.next;
  }
  return cuts;
};

/** Index of the `,` or `]` that ends the element; -1 when the window ends before it. */
function elementEnd(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === OPEN || byte === BRACE_OPEN) depth++;
    else if (depth === 0 && (byte === COMMA || byte === CLOSE)) return at;
    else if (depth > 0 && (byte === CLOSE || byte === BRACE_CLOSE)) depth--;
  }
  return -1;
}

function cutElement(bytes: Buffer, from: number, mark: number): Cut {
  const stop = mark === -1 ? bytes.length : mark;
  let start = from,
    end = stop;
  while (start < stop && isSpace(bytes[start] as number)) start++;
  while (end > start && isSpace(bytes[end - 1] as number)) end--;
  // Behind the last element, and in an empty array, there is nothing before the end of the array or of the file.
  const blank = start === end && (mark === -1 || bytes[mark] === CLOSE);
  return { start, end, next: mark === -1 ? stop : mark + 1, lines: blank ? 0 : 1, blank, terminated: mark !== -1, fault: null };
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CR || byte === LF;
}
