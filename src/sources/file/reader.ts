// Reads one file from a place on: windows of bytes, cut into records, decoded when they are taken. Reads only when asked.

import { isUtf8 } from 'node:buffer';
import { CdcError, type Position, type Row } from '../../sdk/index.ts';
import type { Layout } from './begin.ts';
import type { FileSourceConfig } from './config.ts';
import { textOf } from './decode.ts';
import type { OpenFile } from './open-file.ts';
import { checksum, type FilePlace, formatPlace, HEAD_BYTES, TAIL_BYTES } from './position.ts';
import type { Cut } from './split.ts';

/** One read. A longer record makes the window grow, up to `max_line_bytes`. */
const WINDOW_BYTES = 262_144;
/** Memory of an event beside its text, as counted against the bounds of the queues. */
const EVENT_BYTES = 300;
const LF = 10;
const NO_BYTES: Buffer = Buffer.alloc(0);

interface TakenRow {
  readonly position: Position;
  readonly row: Row;
}
interface TakenFault {
  readonly input: Buffer;
  readonly line: number;
  readonly error: Error;
}
export interface Taken {
  readonly rows: readonly TakenRow[];
  readonly faults: readonly TakenFault[];
  readonly bytes: number;
}

/**
 * - `records`: there is something to take.
 * - `end`: nothing more now; part of a record may be there.
 * - `replaced`: what was read is no longer in the file: it was truncated or rewritten in place.
 */
export type Fill = 'records' | 'end' | 'replaced';

/** A record longer than allowed, skipped without holding it. */
interface Skipped {
  readonly input: Buffer;
  readonly place: FilePlace;
}

export class Reader {
  readonly file: OpenFile;
  readonly layout: Layout;
  readonly #config: FileSourceConfig;
  readonly #where: string;
  #place: FilePlace;
  /** The bytes around the place; `#windowStart` is the offset of the first one. */
  #window: Buffer = NO_BYTES;
  #windowStart = 0;
  #windowValid = false;
  #cuts: Cut[] = [];
  #taken = 0;
  #skipped: Skipped | null = null;
  /** How far an overlong record was searched for its end. */
  #searchedTo = 0;
  #windowBytes = WINDOW_BYTES;
  #size = 0;
  #modifiedMs = 0;
  /** Size at the last fill that found nothing to cut: looking again is useless until it changes. */
  #fruitlessSize = -1;

  constructor(file: OpenFile, layout: Layout, place: FilePlace, config: FileSourceConfig, where: string) {
    this.file = file;
    this.layout = layout;
    this.#place = place;
    this.#config = config;
    this.#where = where;
  }

  /** Behind the last record that was taken. */
  get place(): FilePlace {
    return this.#place;
  }
  /** Of the file, when it last was what we read. */
  get size(): number {
    return this.#size;
  }
  get modifiedMs(): number {
    return this.#modifiedMs;
  }

  /** Reads on, once everything is taken. `final`: at the end of the file a record without line end is one, too. */
  async fill(final: boolean): Promise<Fill> {
    const { size: firstSize, modifiedMs } = await this.file.state();
    let size = firstSize;
    if (size < this.#place.offset) return 'replaced';
    // Looked at in vain before. The time counts, too: a file may be rewritten to the very size it had.
    if (modifiedMs === this.#modifiedMs && (size === this.#place.offset || (size === this.#fruitlessSize && !final))) return 'end';
    if (this.#place.tentative !== null && size > this.#place.offset && !(await this.#settleTentative())) return 'end';
    for (;;) {
      const { offset } = this.#place;
      const context = offset < HEAD_BYTES ? offset : TAIL_BYTES;
      // One byte more than the file has: fewer bytes than asked for then mean its end.
      const wanted = Math.min(context + this.#windowBytes, size - offset + context + 1);
      const bytes = await this.file.read(offset - context, wanted);
      if (!this.#isWhatWasRead(bytes, context)) return 'replaced';
      this.#size = size;
      this.#modifiedMs = modifiedMs;
      const atEnd = bytes.length < wanted;
      const cuts = this.layout.split(bytes, context, final && atEnd);
      if (cuts.length > 0) return this.#accept(bytes, offset - context, cuts, context);
      if (atEnd) {
        this.#fruitlessSize = size;
        return 'end';
      }
      if (bytes.length > context + this.#config.max_line_bytes) return this.#skipOverlong(bytes, context, final);
      if (wanted === context + this.#windowBytes) this.#windowBytes *= 2;
      else size = offset - context + bytes.length; // it grew while we were looking
    }
  }

  /** Records that begin before `limit`, as many as fit; `null` when a new `fill` is needed. */
  take(maxEvents: number, maxBytes: number, limit: number): Taken | null {
    if (this.#skipped !== null) return this.#takeSkipped(this.#skipped);
    const from = this.#taken;
    let to = from,
      bytes = 0;
    for (; to < this.#cuts.length && to - from < maxEvents; to++) {
      const cut = this.#cuts[to] as Cut;
      if (this.#windowStart + cut.start >= limit) break;
      bytes += cut.next - cut.start + EVENT_BYTES;
      if (to > from && bytes > maxBytes) break;
    }
    if (to === from) return null;
    this.#taken = to;
    const taken = this.#decode(this.#cuts.slice(from, to));
    if (to === this.#cuts.length) this.#window = NO_BYTES; // thousands of files may be open
    return taken;
  }

  #accept(bytes: Buffer, start: number, cuts: Cut[], from: number): Fill {
    this.#window = bytes;
    this.#windowStart = start;
    this.#cuts = cuts;
    this.#taken = 0;
    this.#windowBytes = WINDOW_BYTES;
    // One look at all of it, instead of one per record.
    this.#windowValid = this.#config.encoding === 'utf-8' && isUtf8(bytes.subarray(from, (cuts.at(-1) as Cut).next));
    return 'records';
  }

  #decode(cuts: readonly Cut[]): Taken {
    const rows: TakenRow[] = [],
      faults: TakenFault[] = [];
    const { encoding, key, max_line_bytes: maxBytes } = this.#config;
    const records = cuts.filter((cut) => !cut.blank);
    const texts = records.map((cut) => {
      if (cut.fault !== null) return new SyntaxError(cut.fault);
      if (cut.end - cut.start > maxBytes) return tooLong(maxBytes);
      return textOf(this.#window, cut.start, cut.end, encoding, this.#windowValid);
    });
    const decoded = this.layout.decode(texts, key)[Symbol.iterator]();
    let bytes = 0;
    for (const cut of cuts) {
      const line = this.#place.line + 1;
      this.#place = this.#placeAfter(cut);
      if (cut.blank) continue;
      const row = decoded.next().value as Row | Error;
      bytes += cut.next - cut.start + EVENT_BYTES;
      if (row instanceof Error)
        faults.push({ input: Buffer.from(this.#window.subarray(cut.start, Math.min(cut.end, cut.start + maxBytes))), line, error: row });
      else rows.push({ row, position: formatPlace(this.#place) });
    }
    return { rows, faults, bytes };
  }

  #placeAfter(cut: Cut): FilePlace {
    const { generation, line, head } = this.#place;
    const offset = this.#windowStart + cut.next;
    const tail = checksum(this.#window.subarray(Math.max(0, cut.next - TAIL_BYTES), cut.next));
    // Below HEAD_BYTES the window begins with the file, and the head grows with each record.
    const newHead =
      this.#windowStart === 0 && this.#place.offset < HEAD_BYTES
        ? checksum(this.#window.subarray(0, Math.min(HEAD_BYTES, cut.next)))
        : head;
    const tentative = cut.terminated || cut.blank ? null : { offset: this.#windowStart + cut.start, line };
    return { generation, offset, line: line + cut.lines, inode: this.file.inode, head: newHead, tail, tentative };
  }

  #takeSkipped({ input, place }: Skipped): Taken {
    const line = this.#place.line + 1;
    this.#place = place;
    this.#skipped = null;
    return { rows: [], faults: [{ input, line, error: tooLong(this.#config.max_line_bytes) }], bytes: input.length };
  }

  /** Does the window still hold what was read before the place? */
  #isWhatWasRead(bytes: Buffer, context: number): boolean {
    if (bytes.length < context) return false;
    const { offset, head, tail } = this.#place;
    if (checksum(bytes.subarray(Math.max(0, context - TAIL_BYTES), context)) !== tail) return false;
    return offset >= HEAD_BYTES || checksum(bytes.subarray(0, context)) === head;
  }

  /** A record longer than allowed: its first line becomes a fault if it has one, else its end is searched window by window. */
  async #skipOverlong(bytes: Buffer, from: number, final: boolean): Promise<Fill> {
    const { max_line_bytes: maxBytes } = this.#config;
    if (this.layout.format === 'json') {
      throw new CdcError('SOURCE_DATA_INVALID', `Element ${this.#place.line + 1} of a JSON array is longer than ${maxBytes} bytes.`, {
        where: this.#where,
        fix: 'Raise max_line_bytes.',
      });
    }
    const lineEnd = bytes.indexOf(LF, from);
    if (lineEnd !== -1) {
      const cut: Cut = {
        start: from,
        end: lineEnd,
        next: lineEnd + 1,
        lines: 1,
        blank: false,
        terminated: true,
        fault: `a quote is opened and not closed within ${maxBytes} bytes`,
      };
      return this.#accept(bytes, this.#place.offset - from, [cut], from);
    }
    const start = this.#place.offset;
    let at = Math.max(this.#searchedTo, start + bytes.length - from);
    for (;;) {
      const chunk = await this.file.read(at, WINDOW_BYTES);
      const found = chunk.indexOf(LF);
      const ended = chunk.length < WINDOW_BYTES;
      if (found === -1 && !ended) {
        at += chunk.length;
        continue;
      }
      if (found === -1 && !final) {
        this.#searchedTo = at;
        this.#fruitlessSize = this.#size;
        return 'end';
      }
      const end = found === -1 ? at + chunk.length : at + found + 1;
      const place = await this.file.placeAt(this.#place.generation, end, this.#place.line + 1);
      this.#skipped = {
        input: Buffer.from(bytes.subarray(from, from + maxBytes)),
        place: found === -1 ? { ...place, tentative: { offset: start, line: this.#place.line } } : place,
      };
      this.#searchedTo = 0;
      this.#windowBytes = WINDOW_BYTES;
      return 'records';
    }
  }

  /**
   * The last record had no end when it was read. What follows tells: its end (go on), nothing yet (`false`), or more of the same
   * record: then it is read again as a whole, and is a new event behind the first one.
   */
  async #settleTentative(): Promise<boolean> {
    const { offset, generation, line, tentative } = this.#place;
    if (tentative === null) return true;
    const next = (await this.file.read(offset, TAIL_BYTES)).toString('latin1');
    const end = this.layout.format === 'json' ? /^\s*[,\]]/ : /^\r?\n/;
    const undecided = this.layout.format === 'json' ? /^\s*$/ : /^\r?$/;
    if (undecided.test(next)) return false;
    const length = end.exec(next)?.[0].length;
    this.#place =
      length === undefined
        ? await this.file.placeAt(generation, tentative.offset, tentative.line)
        : await this.file.placeAt(generation, offset + length, line);
    return true;
  }
}

function tooLong(maxBytes: number): Error {
  return new SyntaxError(`is longer than ${maxBytes} bytes`);
}
