// The index of a closed segment beside it, as a file. Not synced: what is damaged or missing is built again from the segment.

import { join } from 'node:path';
import type { LogFiles } from './files.ts';
import { indexName, type SegmentHeader, TEMPORARY } from './segment-header.ts';
import type { SegmentIndex } from './segment-index.ts';

export async function writeSidecar(files: LogFiles, folder: string, header: SegmentHeader, index: SegmentIndex): Promise<void> {
  const path = join(folder, indexName(header.base));
  const file = await files.open(path + TEMPORARY, 'create');
  try {
    await file.write(index.encode(), 0);
  } finally {
    await file.close();
  }
  await files.rename(path + TEMPORARY, path);
}
