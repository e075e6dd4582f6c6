// The configuration that tests of the file destination begin with.

import type { FileDestinationConfig } from '../../../../src/destinations/file/config.ts';

export const defaults: Omit<FileDestinationConfig, 'path'> = {
  format: 'auto',
  fsync: true,
  mode: '0600',
  csv: { delimiter: ',', header: true, null_value: '', absent_value: '__absent__' },
  rotate: { size: 0, interval: 0, max_files: 0 },
};
