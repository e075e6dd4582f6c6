// Messages whose content nobody looks at: key and value stay bytes, in columns of those names.

import type { Column, TableSchema } from '../sdk/index.ts';
import type { MessageFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import { MessageTables } from './message-tables.ts';
import type { MessageDecoder } from './messages.ts';

export const RAW_KEY = 'key',
  RAW_VALUE = 'value';

const bytes = (name: string): Column => ({ name, type: 'bytes', nativeType: 'bytes', nullable: true });
const COLUMNS = [bytes(RAW_KEY), bytes(RAW_VALUE)];

export function rawMessages(config: MessageFormatConfig, _ctx: FormatContext): MessageDecoder {
  const tables = new MessageTables(config);
  const tableOf = (topic: string): TableSchema => tables.of(topic, COLUMNS, config.key_fields ?? []);
  return {
    decode: async (messages) =>
      messages.map(({ topic, key, value }) => ({
        op: 'c',
        table: tableOf(topic),
        before: null,
        after: { [RAW_KEY]: key, [RAW_VALUE]: value },
        sourceTsMs: null,
        id: null,
        incomplete: false,
        message: null,
      })),
    table: tableOf,
    close: () => Promise.resolve(),
  };
}
