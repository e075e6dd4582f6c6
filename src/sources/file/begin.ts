// The beginning of a file: byte order mark, format, and what stands before the first record (CSV header, the `[` of an array).

import type { parseRecords } from '../../formats/csv.ts';
import { CdcError } from '../../sdk/index.ts';
import { type FileSourceConfig, type Format, formatOf } from './config.ts';
import { csvDecoder, type Decode, decodeJson, textOf } from './decode.ts';
import type { OpenFile } from './open-file.ts';
import { csvSplitter, type Split, splitArray, splitLines } from './split.ts';

/** How the records of one file are read. */
export interface Layout {
  readonly format: Format;
  readonly split: Split;
  readonly decode: Decode;
  /** Names of the columns; `null` when each record names its own. */
  readonly columns: readonly string[] | null;
  /** Where the first record begins, and how many lines stand before it. */
  readonly offset: number;
  readonly line: number;
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const OPEN_BRACKET = 0x5b;
/** The first look at a file. */
const FIRST_BYTES = 4096;

/** `null`: there is not enough of the file yet to tell. */
export async function layoutOf(file: OpenFile, path: string, config: FileSourceConfig, where: string): Promise<Layout | null> {
  const { max_line_bytes: maxBytes, csv } = config;
  const window = await firstWindow(file, maxBytes, (bytes) => firstMark(bytes) !== -1);
  const mark = firstMark(window);
  assertNoUtf16(window, path, where);
  if (mark === -1) return null;
  const start = bomBytes(window);
  const format = formatBy(config, path, window[mark] as number, where);
  if (format === 'ndjson') return { format, split: splitLines, decode: decodeJson, columns: null, offset: start, line: 0 };
  if (format === 'json') {
    if (window[mark] !== OPEN_BRACKET) {
      throw new CdcError('SOURCE_DATA_INVALID', `"${path}" does not begin with "[", so it is no JSON array.`, {
        where,
        fix: 'Set `format: ndjson` if it holds one object per line.',
      });
    }
    return { format, split: splitArray, decode: decodeJson, columns: null, offset: mark + 1, line: 0 };
  }
  const split = csvSplitter(csv.delimiter, csv.quote);
  const { parseRecords: parse } = await import('../../formats/csv.ts'); // only CSV pays for the library
  const options = { delimiter: csv.delimiter, quote: csv.quote, nullValue: csv.null_value };
  if (!csv.header)
    return { format, split, decode: csvDecoder(parse, csv.columns as string[], options), columns: csv.columns, offset: start, line: 0 };
  const header = await readHeader(file, { split, parse, start }, config, path, where);
  if (header === null) return null;
  const columns = csv.columns ?? header.names;
  return { format, split, decode: csvDecoder(parse, columns, options), columns, offset: header.next, line: header.lines };
}

interface Header {
  readonly names: string[];
  readonly next: number;
  readonly lines: number;
}

interface HeaderReading {
  readonly split: Split;
  readonly parse: typeof parseRecords;
  readonly start: number;
}

async function readHeader(
  file: OpenFile,
  { split, parse, start }: HeaderReading,
  config: FileSourceConfig,
  path: string,
  where: string,
): Promise<Header | null> {
  const { max_line_bytes: maxBytes, csv, encoding, key } = config;
  const invalid = (what: string, fix: string): CdcError =>
    new CdcError('SOURCE_DATA_INVALID', `The header of "${path}" ${what}.`, { where, fix });
  const cutsOf = (bytes: Buffer) => split(bytes, start, false);
  const bytes = await firstWindow(file, maxBytes, (b) => cutsOf(b).some((cut) => !cut.blank));
  const cuts = cutsOf(bytes),
    at = cuts.findIndex((cut) => !cut.blank),
    cut = cuts[at];
  if (cut === undefined) {
    if (bytes.length > maxBytes) throw invalid(`is longer than ${maxBytes} bytes`, 'Raise max_line_bytes, or correct csv.quote.');
    return null; // it is still being written
  }
  const text = textOf(bytes, cut.start, cut.end, encoding, false);
  const fields =
    typeof text === 'string'
      ? (parse([text], { delimiter: csv.delimiter, quote: csv.quote, nullValue: null })[0] as string[] | Error)
      : text;
  if (fields instanceof Error) throw invalid(`cannot be read: ${fields.message}`, 'Correct the header, or the keys under csv.');
  if (csv.columns !== null && csv.columns.length !== fields.length)
    throw invalid(`has ${fields.length} columns, csv.columns has ${csv.columns.length}`, 'Make them agree.');
  const names = csv.columns ?? fields;
  const odd = names.find((name, i) => name === '' || names.indexOf(name) !== i);
  if (odd !== undefined)
    throw invalid(odd === '' ? 'has a column without a name' : `names the column "${odd}" twice`, 'Name the columns in csv.columns.');
  const missing = key.find((name) => !names.includes(name));
  if (missing !== undefined) throw invalid(`has no column "${missing}", which is in key`, 'Correct key, or csv.delimiter.');
  return { names, next: cut.next, lines: cuts.slice(0, at + 1).reduce((n, c) => n + c.lines, 0) };
}

/** The beginning of the file, as much of it as `enough` asks for, but not much more than a record may have. */
async function firstWindow(file: OpenFile, maxBytes: number, enough: (bytes: Buffer) => boolean): Promise<Buffer> {
  for (let length = FIRST_BYTES; ; length *= 4) {
    const bytes = await file.read(0, length);
    if (enough(bytes) || bytes.length < length || length > maxBytes) return bytes;
  }
}

/** Index of the first byte that is not space; -1 when there is none. */
function firstMark(bytes: Buffer): number {
  const start = bomBytes(bytes);
  for (let i = start; i < bytes.length; i++) if (!' \t\r\n'.includes(String.fromCharCode(bytes[i] as number))) return i;
  return -1;
}

function bomBytes(bytes: Buffer): number {
  return bytes.subarray(0, 3).equals(BOM) ? 3 : 0;
}

function assertNoUtf16(bytes: Buffer, path: string, where: string): void {
  const first = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  if (first !== 0xfffe && first !== 0xfeff) return;
  throw new CdcError('SOURCE_DATA_INVALID', `"${path}" is encoded as UTF-16.`, {
    where,
    fix: 'Convert it to UTF-8 (`iconv -f utf-16 -t utf-8`).',
  });
}

function formatBy(config: FileSourceConfig, path: string, firstByte: number, where: string): Format {
  const format = formatOf(config, path);
  if (format === 'sniff') return firstByte === OPEN_BRACKET ? 'json' : 'ndjson';
  if (format !== null) return format;
  throw new CdcError('SOURCE_MISCONFIGURED', `The extension of "${path}" does not tell its format.`, {
    where,
    fix: 'Set format to ndjson, csv or json.',
  });
}
