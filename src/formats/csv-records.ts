// Records whose value is the row as one line of CSV, without header: the table's columns in their order.

import { CdcError, type ChangeEvent, type ColumnType, type Row } from '../sdk/index.ts';
import type { KeyFormat, RecordFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import { type CsvOutput, formatRecords } from './csv.ts';
import { cellText } from './csv-cell.ts';
import { keyBytes } from './keys.ts';
import type { RecordEncoder } from './messages.ts';
import { addRow, encodeEach, type RowCodec } from './record-list.ts';

export function csvRecords(config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat): RecordEncoder {
  const { delimiter = ',', null_value: nullValue = '' } = config.csv ?? {};
  const output: CsvOutput = { delimiter, nullValue, absentValue: nullValue };
  const codec: RowCodec = {
    key: (_event, key) => keyBytes(key, keys, ctx),
    value: (event) => Buffer.from(formatRecords([cellsOf(event, ctx)], output).slice(0, -1)),
  };
  return {
    contentType: 'text/csv; charset=utf-8; header=absent',
    encode: async (batch) => encodeEach(batch, ctx.where, (list, event, index) => addRow(list, event, index, codec)),
    close: () => Promise.resolve(),
  };
}

function cellsOf(event: ChangeEvent, ctx: FormatContext): (string | null)[] {
  const row = event.after as Row,
    { columns } = event.table;
  const names = columns.length > 0 ? columns.map((c) => c.name) : Object.keys(row);
  // A line has a place for each column: one that is not there would read as NULL.
  const absent = names.find((name) => !Object.hasOwn(row, name));
  if (absent !== undefined)
    throw new CdcError('DESTINATION_EVENT_REJECTED', `The row comes without its column "${absent}", which CSV cannot tell from NULL.`, {
      where: ctx.where,
      fix: 'Use another message_format, or have the source send whole rows.',
    });
  const types = new Map<string, ColumnType>(columns.map((c) => [c.name, c.type]));
  return names.map((name) => cellText(row[name] ?? null, types.get(name)));
}
