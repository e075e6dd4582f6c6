// Messages that hold one record of CSV.

import { isUtf8 } from 'node:buffer';
import { CdcError, type Column, type Row } from '../sdk/index.ts';
import type { MessageFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import { type CsvOptions, type CsvRecord, parseRecords } from './csv.ts';
import { invalidMessage } from './invalid-message.ts';
import { keyOf } from './json-messages.ts';
import type { Decoded, Message, MessageDecoder } from './messages.ts';
import { RowMessages } from './row-messages.ts';

export function csvMessages(config: MessageFormatConfig, ctx: FormatContext): MessageDecoder {
  const { columns: names, delimiter, quote, null_value: nullValue } = config.csv as NonNullable<MessageFormatConfig['csv']>;
  const options: CsvOptions = { delimiter, quote, nullValue },
    rows = new RowMessages(config, ctx);
  const columns: Column[] = names.map((name) => ({ name, type: 'string', nativeType: 'text', nullable: true }));
  const decodeOne = ({ topic, key, value }: Message, fields: CsvRecord | Error | null): Decoded => {
    try {
      if (fields instanceof Error) throw new CdcError('SOURCE_DATA_INVALID', `The value is no CSV record: ${fields.message}`);
      if (fields !== null && fields.length !== names.length)
        throw new CdcError('SOURCE_DATA_INVALID', `The value has ${fields.length} fields instead of ${names.length}.`);
      const row = value === null || fields === null ? null : rowOf(names, fields);
      return rows.message(topic, keyOf(key, config.key_format ?? 'text'), row, columns);
    } catch (cause) {
      return invalidMessage(cause, ctx, 'Set csv to what the producer writes.');
    }
  };
  return {
    decode: async (messages) => {
      const parsed = parseRecords(messages.map(textOf), options);
      return messages.map((message, i) => decodeOne(message, recordOf(message, parsed[i] as CsvRecord | Error)));
    },
    table: (topic) => rows.tables.known(topic),
    close: () => Promise.resolve(),
  };
}

/** Parsed with the others, so that the library is called once; what is no text is told by `recordOf`. */
const textOf = ({ value }: Message): string =>
  value === null || !isUtf8(value)
    ? ''
    : Buffer.from(value)
        .toString()
        .replace(/\r?\n$/, '');

function recordOf({ value }: Message, parsed: CsvRecord | Error): CsvRecord | Error | null {
  if (value === null) return null;
  return isUtf8(value) ? parsed : new SyntaxError('it is not valid UTF-8');
}

function rowOf(names: readonly string[], fields: CsvRecord): Row {
  const row: Row = {};
  for (let i = 0; i < names.length; i++)
    Object.defineProperty(row, names[i] as string, { value: fields[i], enumerable: true, writable: true, configurable: true });
  return row;
}
