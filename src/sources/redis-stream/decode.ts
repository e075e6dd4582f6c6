// Entries → change events. What cannot be understood is an error, for the dead letter queue.

import type { DecodedMessage, Message, MessageDecoder } from '../../formats/messages.ts';
import { CdcError, ChangeEvent, type ChangeEventInit, type Position, type TableSchema, toCdcError } from '../../sdk/index.ts';
import { type Entry, MessageFields, rowOf, timeOf } from './entries.ts';

/** What an entry says, and what the broker knew of it; `null`: nothing to deliver; or what is wrong. */
export type DecodedEntry =
  | { readonly said: DecodedMessage; readonly messageId: string; readonly message: Message | null }
  | CdcError
  | null;

export interface EntryDecoder {
  /** One answer per entry. Rejects with a retriable `CdcError` while a schema registry is away. */
  decode(entries: readonly Entry[], signal: AbortSignal): Promise<DecodedEntry[]>;
  table(): TableSchema;
  close(): Promise<void>;
}

const REMOVED = new CdcError('SOURCE_DATA_INVALID', 'The entry was removed from the stream before it was finished: its fields are gone.', {
  fix: 'Keep entries for longer (MAXLEN, MINID, XDEL).',
});

const isError = (found: Message | CdcError): found is CdcError => found instanceof CdcError;

/** Each field a column, as text. */
export function fieldDecoder(stream: string, tableName: string | undefined, key: readonly string[]): EntryDecoder {
  const name = (tableName ?? '{topic}').replaceAll('{topic}', () => stream);
  const table: TableSchema = { id: { database: null, schema: null, table: name }, columns: [], key, version: 1 };
  const decodeOne = ({ id, fields }: Entry): DecodedEntry => {
    if (fields === null) return REMOVED;
    try {
      const said = { op: 'c' as const, table, before: null, after: rowOf(fields, key), sourceTsMs: null, id: null };
      return { said: { ...said, incomplete: false, message: null }, messageId: `${stream}/${id}`, message: null };
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
  const fields = new MessageFields(stream);
  const parse = (entry: Entry): Message | CdcError => {
    if (entry.fields === null) return REMOVED;
    try {
      return fields.message(entry.fields);
    } catch (error) {
      return toCdcError(error, 'SOURCE_DATA_INVALID');
    }
  };
  return {
    async decode(entries, signal) {
      const parsed = entries.map(parse),
        good = parsed.some(isError) ? parsed.filter((m): m is Message => !isError(m)) : (parsed as Message[]),
        decoded = await messages.decode(good, signal);
      let next = 0;
      return parsed.map((message, i): DecodedEntry => {
        if (message instanceof CdcError) return message;
        const said = decoded[next++] ?? null;
        if (said === null || said instanceof CdcError) return said;
        return { said, messageId: said.id ?? `${stream}/${(entries[i] as Entry).id}`, message };
      });
    },
    table: () => messages.table(stream),
    close: () => messages.close(),
  };
}

/** The event of an entry, with the receipt that finishes it. */
export function eventOf(
  entry: Entry,
  decoded: Exclude<DecodedEntry, CdcError | null>,
  source: string,
  partition: string,
  position: Position,
): ChangeEvent {
  const { said, message } = decoded,
    timestampMs = timeOf(entry.id);
  const init = {
    op: said.op,
    table: said.table,
    source,
    partition,
    position,
    sourceTsMs: said.sourceTsMs ?? timestampMs,
    before: said.before,
    after: said.after,
    incomplete: said.incomplete,
    message: said.message,
    headers: message === null || message.headers === null ? null : { ...message.headers },
    raw: message === null ? null : { topic: message.topic, key: message.key, value: message.value, timestampMs },
    messageId: decoded.messageId,
    key: said.key,
  };
  // Absent: it is taken from the row.
  return new ChangeEvent(init as ChangeEventInit);
}
