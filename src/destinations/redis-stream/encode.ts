// A batch as arguments of the script that appends it. Pure.
//
// Fields of an entry: `id` of the event, the same when it is sent again; `key` and `value` of the record, where it has them (a
// tombstone has no value); `header.<name>` for each header.

import { CdcError, type ChangeEvent, type EncodedBatch, type LaneBatch, type WriteFailure } from '../../sdk/index.ts';
import type { ScriptArgument } from '../../systems/redis/script.ts';
import type { StreamNames } from './stream-name.ts';

export interface Append {
  /** Each once, in the order of their first entries. */
  readonly streams: readonly string[];
  /** Per entry: the number of its stream, then id, key and value; or `number:count` and that many names and values in turn. */
  readonly args: ScriptArgument[];
  readonly failed: readonly WriteFailure[];
}

/** `encoded`: the records of the batch in their format. */
export function encodeAppend(
  { events, skip }: Pick<LaneBatch, 'events' | 'skip'>,
  encoded: EncodedBatch,
  names: StreamNames,
  maxBytes: number,
): Append {
  const { event, topic } = encoded;
  const numbers = new Map<string, number>(),
    args: ScriptArgument[] = [],
    failed = new Map<number, WriteFailure>();
  for (let i = 0; i < event.length; i++) {
    const index = event[i] as number;
    if (skip.has(index) || failed.has(index)) continue;
    const source = events[index] as ChangeEvent,
      stream = names.nameOf(source.table, topic[i] as string);
    const size = sizeOf(encoded, i);
    if (size > maxBytes) failed.set(index, tooLarge(index, size, maxBytes));
    else append(args, numberOf(numbers, stream), source, encoded, i);
  }
  return { streams: [...numbers.keys()], args, failed: [...failed.values()] };
}

function append(args: ScriptArgument[], stream: number, event: ChangeEvent, { key, value, headers }: EncodedBatch, i: number): void {
  const k = key[i] ?? null,
    v = value[i] ?? null,
    h = headers[i] ?? null;
  if (k !== null && v !== null && h === null) {
    args.push(stream, event.id, bufferOf(k), bufferOf(v));
    return;
  }
  const fields: ScriptArgument[] = ['id', event.id];
  if (k !== null) fields.push('key', bufferOf(k));
  if (v !== null) fields.push('value', bufferOf(v));
  for (const [name, text] of Object.entries(h ?? {})) fields.push(`header.${name}`, text);
  args.push(`${stream}:${fields.length}`, ...fields);
}

/** Scripts count from 1. */
function numberOf(numbers: Map<string, number>, stream: string): number {
  const known = numbers.get(stream);
  if (known !== undefined) return known;
  numbers.set(stream, numbers.size + 1);
  return numbers.size;
}

function sizeOf({ key, value }: EncodedBatch, i: number): number {
  return Math.max(key[i]?.length ?? 0, value[i]?.length ?? 0);
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function tooLarge(index: number, size: number, maxBytes: number): WriteFailure {
  const message = `A record has ${size} bytes, and the server takes ${maxBytes} (proto-max-bulk-len).`;
  return {
    index,
    error: new CdcError('DESTINATION_EVENT_REJECTED', message, {
      fix: 'Leave out large columns, or raise proto-max-bulk-len of the server.',
    }),
  };
}
