// Entries → change events. What cannot be understood is an error, for the dead letter queue.

import type { Message, MessageDecoder } from '../../formats/messages.ts';
import { CdcError, ChangeEvent, type ChangeEventInit, type Position, type TableSchema, toCdcError } from '../../sdk/index.ts';
import { type Entry, messageOf, rowOf, timeOf } from './entries.ts';

/** An event without its receipt; `null`: nothing to deliver; or what is wrong. */
export type DecodedEntry = Omit<ChangeEventInit, 'position' | 'source' | 'partition'> | CdcError | null;

export interface EntryDecoder {
  /** One answer per entry. Rejects with a retriable `CdcError` while a schema registry is away. */
  decode(entries: readonly Entry[], signal: AbortSignal): Promise<DecodedEntry[]>;
  table(): TableSchema;
  close(): Promise<void>;
}

const REMOVED = new CdcError('SOURCE_DATA_INVALID', 'The entry was removed from the stream before it was finished: its fields are gone.', {
  fix: 'Keep entries for longer (MAXLEN, MINID, XDEL).',
});

/** Each field a column, as text. */
export function fieldDecoder(stream: string, tableName: string | undefined, key: readonly string[]): EntryDecoder {
  const name = (tableName ?? '{topic}').replaceAll('{topic}', () => stream);
  const table: TableSchema = { id: { database: null, schema: null, table: name }, columns: [], key, version: 1 };
  const decodeOne = ({ id, fields }: Entry): DecodedEntry => {
    if (fields === null) return REMOVED;
    try {
      return { op: 'c', table, sourceTsMs: timeOf(id), after: rowOf(fields, key), messageId: `${stream}/${id}` };
    } catch (error) {
      return toCdcError(error, 'SOURCE_DATA_INVALID');
    }
  };
  return {
    decode: (entries) => Promise.resolve(entries.map(decodeOne)),
    table: () => table,
    close: () => Promise.resolve(),
  };
}

/** A message in one field, in one of the formats. */
export function valueDecoder(stream: string, messages: MessageDecoder): EntryDecoder {
  return {
    async decode(entries, signal) {
      const parsed = entries.map((entry) => parse(stream, entry));
      const good = parsed.filter((m): m is Message => !(m instanceof CdcError));
      const decoded = (await messages.decode(good, signal))[Symbol.iterator]();
      return parsed.map((message, i): DecodedEntry => {
        if (message instanceof CdcError) return message;
        const found = decoded.next().value ?? null;
        if (found === null || found instanceof CdcError) return found;
        const { id } = entries[i] as Entry,
          { op, table, key, before, after, sourceTsMs, incomplete } = found,
          timestampMs = timeOf(id);
        return {
          op,
          table,
          before,
          after,
          incomplete,
          ...(key === undefined ? {} : { key }),
          sourceTsMs: sourceTsMs ?? timestampMs,
          message: found.message,
          headers: message.headers && { ...message.headers },
          raw: { topic: stream, key: message.key, value: message.value, timestampMs },
          messageId: found.id ?? `${stream}/${id}`,
        };
      });
    },
    table: () => messages.table(stream),
    close: () => messages.close(),
  };
}

function parse(stream: string, { fields }: Entry): Message | CdcError {
  if (fields === null) return REMOVED;
  try {
    return messageOf(stream, fields);
  } catch (error) {
    return toCdcError(error, 'SOURCE_DATA_INVALID');
  }
}

/** Behind an entry: its event, with the receipt that finishes it. */
export function eventOf(init: Exclude<DecodedEntry, CdcError | null>, source: string, partition: string, position: Position): ChangeEvent {
  return new ChangeEvent({ ...init, source, partition, position });
}
