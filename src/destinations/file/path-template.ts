// From the path of the configuration and an event to a file. Pure.
//
// Names from data cannot leave their place: what is no letter, digit, `_` or `-` is written as `%` and the hexadecimal UTF-8 bytes.
// Dots too, so that a table called `orders.1` is never taken for a rotated file of `orders`.
//
// | value | in a path |
// |---|---|
// | `orders`, `bestellungen_ä` | the same |
// | `../../etc/passwd` | `%2E%2E%2F%2E%2E%2Fetc%2Fpasswd` |
// | `` (no schema) | `_` |

import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import type { ChangeEvent } from '../../sdk/index.ts';

export const PLACEHOLDERS: readonly string[] = ['{database}', '{schema}', '{table}', '{date}'];

/** File systems allow 255 bytes for a name; the rest is left to the template and the number of a rotated file. */
const MAX_SEGMENT_BYTES = 180;

/** One value as part of a path: never empty, never more than one segment. Different values stay different. */
export function encodeSegment(value: string): string {
  if (value === '') return '_';
  const encoded = value.replace(/[^\p{L}\p{N}\p{M}_-]/gu, (char) =>
    [...Buffer.from(char)].map((b) => `%${b.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  if (Buffer.byteLength(encoded) <= MAX_SEGMENT_BYTES) return encoded;
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 16);
  return `${Buffer.from(encoded)
    .subarray(0, MAX_SEGMENT_BYTES - 20)
    .toString()
    .replace(/\ufffd$/u, '')}%${digest}`;
}

/** The folder of all files: the leading parts without a placeholder. */
export function baseFolder(template: string): string {
  const parts = template.split('/');
  const first = parts.findIndex((part) => part.includes('{'));
  const folder = parts.slice(0, first === -1 ? parts.length - 1 : Math.min(first, parts.length - 1));
  return folder.length === 0 ? '.' : folder.join('/') || '/';
}

/** Fills in the template, which is relative to the base folder. */
export class PathTemplate {
  readonly #template: string;
  readonly #dated: boolean;
  /** Paths by table object and day: events of a batch mostly share both. */
  #table: ChangeEvent['table'] | null = null;
  #day = Number.NaN;
  #path = '';

  constructor(template: string) {
    const base = baseFolder(template);
    this.#template = base === '.' && !template.startsWith('./') ? template : template.slice(base === '/' ? 1 : base.length + 1);
    this.#dated = template.includes('{date}');
  }

  /** One file takes the events of all tables. */
  get shared(): boolean {
    return !this.#template.includes('{table}');
  }

  pathOf(event: ChangeEvent): string {
    const day = this.#dated ? Math.floor(event.sourceTsMs / 86_400_000) : 0;
    if (event.table === this.#table && day === this.#day) return this.#path;
    const { database, schema, table } = event.table.id;
    const values: Readonly<Record<string, string>> = {
      '{database}': encodeSegment(database ?? ''),
      '{schema}': encodeSegment(schema ?? ''),
      '{table}': encodeSegment(table),
      '{date}': new Date(day * 86_400_000).toISOString().slice(0, 10),
    };
    this.#path = this.#template.replace(/\{[a-z]+\}/g, (word) => values[word] ?? word);
    this.#table = event.table;
    this.#day = day;
    return this.#path;
  }
}

/** `orders.ndjson`, 3 → `orders.3.ndjson` */
export function rotatedPath(path: string, number: number): string {
  const extension = extname(path);
  return `${path.slice(0, path.length - extension.length)}.${number}${extension}`;
}
