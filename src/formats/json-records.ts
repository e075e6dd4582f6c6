// Records in JSON: those of the envelope, as they are. Nothing is parsed or copied.

import type { KeyFormat, RecordFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import { withTextKeys } from './keys.ts';
import type { RecordEncoder } from './messages.ts';

export function jsonRecords(_config: RecordFormatConfig, ctx: FormatContext, keys: KeyFormat): RecordEncoder {
  return {
    contentType: 'application/json',
    encode: async (batch) => {
      const records = batch.encoded();
      return { records: keys === 'text' ? withTextKeys(records, ctx) : records, failed: [] };
    },
    close: () => Promise.resolve(),
  };
}
