// Collation ids, as TABLE_MAP and QUERY have them, → character sets, and their bytes → text. UTF-8 and ASCII by the engine,
// MySQL's latin1 by a table, the rest by iconv-lite, loaded with the first column that needs it.
// https://dev.mysql.com/doc/refman/8.4/en/charset-charsets.html

import { createRequire } from 'node:module';
import type * as iconvLite from 'iconv-lite';
import { BinlogError } from './errors.ts';

type Iconv = typeof iconvLite;

/** `utf8`: bytes that go out as they are. */
export interface Charset {
  readonly name: string;
  readonly form: 'utf8' | 'binary' | 'other';
  /** Most bytes of a character: what the length of a column in bytes counts by. */
  readonly maxBytes: number;
  decode(bytes: Buffer, start: number, end: number): string;
}

/** MySQL's ids, which MariaDB shares below 256. */
const IDS: readonly (readonly [name: string, ...ids: (number | readonly [number, number])[]])[] = [
  ['big5', 1, 84],
  ['latin2', 2, 9, 21, 27, 77],
  ['dec8', 3, 69],
  ['cp850', 4, 80],
  ['latin1', 5, 8, 15, 31, [47, 49], 94],
  ['hp8', 6, 72],
  ['koi8r', 7, 74],
  ['swe7', 10, 82],
  ['ascii', 11, 65],
  ['ujis', 12, 91],
  ['sjis', 13, 88],
  ['cp1251', 14, 23, [50, 52]],
  ['hebrew', 16, 71],
  ['tis620', 18, 89],
  ['euckr', 19, 85],
  ['latin7', 20, 41, 42, 79],
  ['koi8u', 22, 75],
  ['gb2312', 24, 86],
  ['greek', 25, 70],
  ['cp1250', 26, 34, 44, 66, 99],
  ['gbk', 28, 87],
  ['cp1257', 29, 58, 59],
  ['latin5', 30, 78],
  ['armscii8', 32, 64],
  ['utf8mb3', 33, 76, 83, [192, 215], 223],
  ['ucs2', 35, 90, [128, 151], 159],
  ['cp866', 36, 68],
  ['keybcs2', 37, 73],
  ['macce', 38, 43],
  ['macroman', 39, 53],
  ['cp852', 40, 81],
  ['utf8mb4', 45, 46, [224, 247], [255, 323]],
  ['utf16', 54, 55, [101, 124]],
  ['utf16le', 56, 62],
  ['cp1256', 57, 67],
  ['utf32', 60, 61, [160, 183]],
  ['binary', 63],
  ['geostd8', 92, 93],
  ['cp932', 95, 96],
  ['eucjpms', 97, 98],
  ['gb18030', [248, 250]],
  // MariaDB's own: Croatian, Myanmar, Thai; and the UCA 14.0.0 family, 256 ids for each character set.
  ['utf8mb3', [576, 578], [2048, 2303]],
  ['utf8mb4', [608, 610], [2304, 2559]],
  ['ucs2', [640, 642], [2560, 2815]],
  ['utf16', [672, 674], [2816, 3071]],
  ['utf32', [736, 738], [3072, 3327]],
];
/** MariaDB: the same collation without padding has this added to its id. */
const NO_PAD = 1024;

const NAME_OF = new Map<number, string>();
for (const [name, ...ids] of IDS) {
  for (const id of ids) {
    const [first, last] = typeof id === 'number' ? [id, id] : id;
    for (let i = first; i <= last; i++) NAME_OF.set(i, name);
  }
}

const MAX_BYTES: Readonly<Record<string, number>> = {
  big5: 2,
  cp932: 2,
  eucjpms: 3,
  euckr: 2,
  gb18030: 4,
  gb2312: 2,
  gbk: 2,
  sjis: 2,
  ucs2: 2,
  ujis: 3,
  utf16: 4,
  utf16le: 4,
  utf32: 4,
  utf8mb3: 3,
  utf8mb4: 4,
};

/** Names of iconv-lite where they differ. Of dec8, geostd8, hp8, keybcs2 and swe7 it knows none. */
const ICONV_NAMES: Readonly<Record<string, string>> = {
  ucs2: 'utf16-be',
  utf16: 'utf16-be',
  utf16le: 'utf16-le',
  utf32: 'utf32-be',
  ujis: 'eucjp',
  eucjpms: 'eucjp',
  macce: 'maccenteuro',
  hebrew: 'iso88598',
  greek: 'iso88597',
  latin2: 'iso88592',
  latin5: 'iso88599',
  latin7: 'iso885913',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
};

/** MySQL's latin1 is cp1252, whose five holes it keeps as control characters. */
const CP1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

function decodeLatin1(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('latin1', start, end);
  return /[\u0080-\u009f]/.test(text) ? text.replace(/[\u0080-\u009f]/g, (c) => CP1252[c.charCodeAt(0) - 0x80] as string) : text;
}

let iconv: Iconv | null = null;

function decodeByIconv(name: string): Charset['decode'] {
  const encoding = ICONV_NAMES[name] ?? name;
  return (bytes, start, end) => {
    iconv ??= createRequire(import.meta.url)('iconv-lite') as Iconv;
    if (!iconv.encodingExists(encoding)) throw new BinlogError('unsupported', `text in the character set ${name}`);
    return iconv.decode(bytes.subarray(start, end), encoding, { stripBOM: false });
  };
}

const utf8: Charset['decode'] = (bytes, start, end) => bytes.toString('utf8', start, end);

function make(name: string): Charset {
  const maxBytes = MAX_BYTES[name] ?? 1;
  switch (name) {
    case 'utf8mb3':
    case 'utf8mb4':
    case 'ascii':
      return { name, form: 'utf8', maxBytes, decode: utf8 };
    case 'latin1':
      return { name, form: 'other', maxBytes, decode: decodeLatin1 };
    case 'binary':
      return { name, form: 'binary', maxBytes, decode: utf8 };
    default:
      return { name, form: 'other', maxBytes, decode: decodeByIconv(name) };
  }
}

const charsets = new Map<string, Charset>();

/** By name as the server's catalog has it: `utf8mb4`, `latin1`; `null`: unknown. */
export function charsetNamed(name: string): Charset | null {
  const known = name === 'utf8' ? 'utf8mb3' : name;
  let charset = charsets.get(known);
  if (charset === undefined) {
    if (!IDS.some(([n]) => n === known)) return null;
    charset = make(known);
    charsets.set(known, charset);
  }
  return charset;
}

/** Ids that are newer than the list above are of UTF-8, as all that were added in the last ten years. */
export function charsetOf(collation: number): Charset {
  const id = collation > NO_PAD && collation < 2 * NO_PAD ? collation - NO_PAD : collation;
  return charsetNamed(NAME_OF.get(id) ?? 'utf8mb4') as Charset;
}

export const BINARY_COLLATION = 63;
