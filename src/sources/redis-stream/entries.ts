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
  return (reply as readonly Reply[]).filter((e) => e !== null).map(([id, fields]) => ({ id: id.toString(), fields }));
}

/** Of the one stream of XREADGROUP: `[[stream, entries]]`, or nothing. */
export function parseStreams(reply: unknown): Entry[] {
  const [stream] = (reply ?? []) as readonly (readonly [Buffer, unknown])[];
  return stream === undefined ? [] : parseEntries(stream[1]);
}

/** `1526919030474-55` → 1526919030474: when it was added, unless its producer gave ids of its own. */
export const timeOf = (id: string): number => Number(id.split('-', 1)[0]);

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

/** The message in the fields `key`, `value` and `header.<name>`. Throws `SOURCE_DATA_INVALID`. */
export function messageOf(stream: string, fields: readonly Buffer[]): Message {
  const pairs = pairsOf(fields),
    names = [...pairs.keys()];
  // Without a value it is a tombstone; but who calls the value otherwise means none.
  const stranger = names.find((name) => name !== 'id' && name !== 'key' && !name.startsWith(HEADER));
  if (!pairs.has('value') && (stranger !== undefined || !pairs.has('key')))
    throw invalid(`The entry has no field "value"; it has ${names.map((n) => `"${n}"`).join(', ')}.`);
  const headers = names
    .filter((name) => name.startsWith(HEADER))
    .map((name) => [name.slice(HEADER.length), textOf(pairs.get(name) as Buffer, `The field "${name}"`)]);
  return {
    topic: stream,
    key: pairs.get('key') ?? null,
    value: pairs.get('value') ?? null,
    headers: headers.length === 0 ? null : (Object.fromEntries(headers) as Record<string, string>),
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
