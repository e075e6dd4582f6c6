// Reads the beginning of segment files: their header and how far they were synced.

import { dirname } from 'node:path';
import { corrupt, unavailable } from './errors.ts';
import type { LogFiles } from './files.ts';
import { seedOf } from './record.ts';
import { decodeHeader, decodeSlots, FORMAT_VERSION, headerBytes, type SegmentHeader, type Slot, segmentName } from './segment-header.ts';

const START_BYTES = 4096;

export interface SegmentStart {
  readonly header: SegmentHeader;
  readonly headerEnd: number;
  readonly slot: Slot;
  readonly size: number;
}

export async function readSegmentStart(files: LogFiles, path: string): Promise<SegmentStart> {
  const file = await files.open(path, 'read');
  try {
    const size = await file.size();
    const read = async (bytes: number): Promise<Buffer> => {
      const start = Buffer.alloc(Math.min(bytes, size));
      return start.subarray(0, await file.read(start, 0));
    };
    let start = await read(START_BYTES);
    const headerEnd = headerBytes(start);
    if (headerEnd === null || headerEnd > size) throw corrupt(path, 0, 'it does not begin like a segment');
    if (headerEnd > start.length) start = await read(headerEnd);
    const header = decodeHeader(start);
    if (header === null) throw corrupt(path, 0, 'the checksum of its header is wrong');
    if (header.version > FORMAT_VERSION) {
      throw unavailable(
        dirname(path),
        `was written by a newer version (format ${header.version})`,
        'Run the version that wrote it, or a newer one',
      );
    }
    if (!path.endsWith(segmentName(header.base))) throw corrupt(path, 0, `its header says that it begins with record ${header.base}`);
    return { header, headerEnd, slot: decodeSlots(start, seedOf(header.log, header.base), headerEnd), size };
  } finally {
    await file.close();
  }
}
