// Entries as the server sends them: parsed, made messages or rows, and spelled for the dead letter queue. Pure.

import { isUtf8 } from 'node:buffer';
import type { Message } from '../../formats/messages.ts';
import { CdcError, type Row } from '../../sdk/index.ts';

/** `fields`: names and values in turn; `null`: the entry was removed from the stream. */
export interface Entry {
  readonly id: string;
  readonly fields: readonly Buffer[] | null;
}

type Reply = readonly [Buffer, readonly Buffer[] | null];

/** Entries of `[[id, [name, value, …]], …]`. */
export function parseEntries(reply: unknown): Entry[] {
  const entries: Entry[] = [];
  // Ids are digits: to read them as Latin-1 is cheaper.
  for (const entry of reply as readonly (Reply | null)[])
    if (entry !== null) entries.push({ id: entry[0].toString('latin1'), fields: entry[1] });
  return entries;
}

/** Of the one stream of XREADGROUP: `[[stream, entries]]`, or nothing. */
export function parseStreams(reply: unknown): Entry[] {
  const [stream] = (reply ?? []) as readonly (readonly [Buffer, unknown])[];
  return stream === undefined ? [] : parseEntries(stream[1]);
}

/** `1526919030474-55` → 1526919030474: when it was added, unless its producer gave ids of its own. */
export const timeOf = (id: string): number => Number(id.slice(0, id.indexOf('-')));

/** Does the entry come later in the stream? Ids are two numbers of up to 64 bits. */
export function isBehind(id: string, other: string): boolean {
  const [ms, number] = partsOf(id),
    [otherMs, otherNumber] = partsOf(other);
  return ms === otherMs ? number > otherNumber : ms > otherMs;
}

function partsOf(id: string): [ms: bigint, number: bigint] {
  const at = id.indexOf('-');
  return [BigInt(id.slice(0, at)), BigInt(id.slice(at + 1))];
}

export function sizeOf({ id, fields }: Entry): number {
  let bytes = id.length;
  for (const part of fields ?? []) bytes += part.length;
  return bytes;
}

/** Names and values, each name once. Throws `SOURCE_DATA_INVALID`. */
function pairsOf(fields: readonly Buffer[]): Map<string, Buffer> {
  const pairs = new Map<string, Buffer>();
  for (let i = 0; i < fields.length; i += 2) {
    const name = textOf(fields[i] as Buffer, 'A name of a field');
    if (pairs.has(name)) throw invalid(`The field "${name}" is there twice.`);
    pairs.set(name, fields[i + 1] as Buffer);
  }
  return pairs;
}

/** The fields as columns. Throws `SOURCE_DATA_INVALID`. */
export function rowOf(fields: readonly Buffer[], key: readonly string[]): Row {
  const row: Row = {};
  for (const [name, value] of pairsOf(fields)) {
    const text = textOf(value, `The field "${name}"`);
    // A plain assignment to `__proto__` would set the prototype.
    Object.defineProperty(row, name, { value: text, enumerable: true, writable: true, configurable: true });
  }
  const missing = key.find((name) => !Object.hasOwn(row, name));
  if (missing !== undefined) throw invalid(`The entry has no field "${missing}", which is of the key.`);
  return row;
}

const HEADER = 'header.';

/** Where the parts of a message stand among the fields of an entry. */
interface Layout {
  readonly names: readonly Buffer[];
  /** Of the value; -1: there is none. */
  readonly key: number;
  readonly value: number;
  readonly headers: readonly (readonly [name: string, at: number])[];
}

/** The messages in the fields `key`, `value` and `header.<name>`. Entries mostly have the fields of the one before. */
export class MessageFields {
  readonly #stream: string;
  #layout: Layout | null = null;

  constructor(stream: string) {
    this.#stream = stream;
  }

  /** Throws `SOURCE_DATA_INVALID`. */
  message(fields: readonly Buffer[]): Message {
    const known = this.#layout,
      layout = known !== null && hasNames(fields, known.names) ? known : layoutOf(fields),
      { key, value, headers } = layout;
    this.#layout = layout;
    return {
      topic: this.#stream,
      key: fields[key] ?? null,
      value: fields[value] ?? null,
      headers:
        headers.length === 0
          ? null
          : Object.fromEntries(headers.map(([name, at]) => [name, textOf(fields[at] as Buffer, `The field "${HEADER}${name}"`)])),
    };
  }
}

function hasNames(fields: readonly Buffer[], names: readonly Buffer[]): boolean {
  if (fields.length !== names.length * 2) return false;
  for (let i = 0; i < names.length; i++) if (!isSame(fields[i * 2] as Buffer, names[i] as Buffer)) return false;
  return true;
}

/** Names are short: `equals` goes through the engine's door for each. */
function isSame(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function layoutOf(fields: readonly Buffer[]): Layout {
  const names = [...pairsOf(fields).keys()],
    at = (name: string): number => (names.includes(name) ? names.indexOf(name) * 2 + 1 : -1);
  // Without a value it is a tombstone; but who calls the value otherwise means none.
  const stranger = names.find((name) => name !== 'id' && name !== 'key' && !name.startsWith(HEADER));
  if (at('value') === -1 && (stranger !== undefined || at('key') === -1))
    throw invalid(`The entry has no field "value"; it has ${names.map((n) => `"${n}"`).join(', ')}.`);
  return {
    // Copies: the bytes are of the connection's buffers, which would be kept for them.
    names: names.map((name) => Buffer.from(name)),
    key: at('key'),
    value: at('value'),
    headers: names.filter((name) => name.startsWith(HEADER)).map((name) => [name.slice(HEADER.length), at(name)]),
  };
}

/** For the dead letter queue: JSON of the fields in order, bytes that are no text as base64. */
export function describeFields(fields: readonly Buffer[] | null): string {
  const parts = (fields ?? []).map((part) => (isUtf8(part) ? part.toString() : { base64: part.toString('base64') }));
  return JSON.stringify(Array.from({ length: parts.length / 2 }, (_, i) => [parts[2 * i], parts[2 * i + 1]]));
}

function textOf(bytes: Buffer, what: string): string {
  if (!isUtf8(bytes)) throw invalid(`${what} is not valid UTF-8.`);
  return bytes.toString();
}

function invalid(message: string): CdcError {
  return new CdcError('SOURCE_DATA_INVALID', message, { fix: 'Correct the producer; look at the dead letter.' });
}
