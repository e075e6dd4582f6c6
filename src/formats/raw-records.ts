// Records whose value is one column: its bytes, or its text in UTF-8. The mirror of `raw-messages.ts`.

import { CdcError, type ChangeEvent } from '../sdk/index.ts';
import type { KeyFormat, RecordFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import { keyBytes } from './keys.ts';
import type { RecordEncoder } from './messages.ts';
import { RAW_KEY, RAW_VALUE } from './raw-messages.ts';
import { addRow, encodeEach, type RowCodec } from './record-list.ts';

export function rawRecords(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat): RecordEncoder {
  const field = config.value_field ?? RAW_VALUE;
  const codec: RowCodec = {
    // A message that was read raw keeps its key.
    key: (event, key) => (field === RAW_VALUE && isRaw(event) ? bytesOf(event, RAW_KEY, ctx) : keyBytes(key, keys, ctx)),
    value: (event) => bytesOf(event, field, ctx),
  };
  return {
    contentType: 'application/octet-stream',
    encode: async (batch) => encodeEach(batch, ctx.where, (list, event, index) => addRow(list, event, index, codec)),
    close: () => Promise.resolve(),
  };
}

const isRaw = ({ table: { columns } }: ChangeEvent): boolean =>
  columns.length === 2 && columns[0]?.name === RAW_KEY && columns[1]?.name === RAW_VALUE;

function bytesOf(event: ChangeEvent, field: string, ctx: FormatContext): Uint8Array | null {
  const value = event.get('after', field);
  if (value === null || value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(value);
  // Invariant 6: anything else would have to be given a form first.
  throw new CdcError(
    'DESTINATION_EVENT_REJECTED',
    value === undefined ? `The row has no column "${field}" to write raw.` : `Column "${field}" is a ${typeof value}, not bytes or text.`,
    { where: ctx.where, fix: 'Set value_field to the column that holds the message.' },
  );
}
