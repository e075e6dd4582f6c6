// How the source reads: its log, or by asking.

import type { PollingConfig } from '../../polling/config.ts';

/** What only polling knows says that polling is meant. */
export function modeOf({
  cdc_mode,
  watermark,
  query,
}: Pick<PollingConfig, 'watermark' | 'query'> & { readonly cdc_mode?: 'wal' | 'polling' }): 'wal' | 'polling' {
  return cdc_mode ?? (watermark === undefined && query === undefined ? 'wal' : 'polling');
}
