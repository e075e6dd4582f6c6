// Opening the log: the lock, the headers of all segments, and the tail of the last. What is served afterwards is synced, and
// what a crash left half written is cut (design, section 2). Nothing else is ever cut: damage before the last sync stops.

import { join } from 'node:path';
import type { Clock, Logger, Random } from '../../sdk/index.ts';
import type { LogPlace } from '../change-log.ts';
import { corrupt, inUse, readFailed, unavailable } from './errors.ts';
import type { LogFile, LogFiles, LogLock } from './files.ts';
import { RECORD_HEAD_BYTES } from './record.ts';
import { Segment } from './segment.ts';
import { readSegmentStart } from './segment-files.ts';
import { encodeSlot, FORMAT_VERSION, type RunBegan, SEGMENT_NAME, type Slot, slotOffset } from './segment-header.ts';
import { SegmentIndex } from './segment-index.ts';
import type { SchemaPool } from './segment-reader.ts';
import { BLOCK_BYTES, scanSegment } from './segment-scan.ts';

export interface OpenOptions {
  readonly folder: string;
  readonly pipeline: string;
  readonly start: LogPlace;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly files: LogFiles;
}

/** All segments, the active one last with its index in memory, and that one's file. No file: it is still to be made. */
export interface OpenedLog {
  readonly lock: LogLock;
  readonly segments: Segment[];
  readonly file: LogFile | null;
  /** Schemas of the active segment, by number. */
  readonly dictionary: readonly Buffer[];
}

export const LOCK_NAME = 'lock.db';

export async function openSegments(o: OpenOptions, pool: SchemaPool): Promise<OpenedLog> {
  const { files, folder } = o;
  let lock: LogLock | null = null;
  try {
    await files.mkdir(folder);
    lock = await files.lock(join(folder, LOCK_NAME));
    if (lock === null) {
      throw inUse(folder);
    }
    const names = await files.list(folder);
    await sweep(files, folder, names);
    const segments = await openAll(o, names.filter((name) => SEGMENT_NAME.test(name)).sort(), pool);
    const active = segments.at(-1);
    if (active === undefined) return { lock, segments: [firstSegment(o, pool)], file: null, dictionary: [] };
    return { lock, segments, ...(await recover(o, active)) };
  } catch (error) {
    lock?.release();
    throw readFailed(folder, error);
  }
}

/** What a crash left of files in the making, and indexes of segments that are gone. */
async function sweep(files: LogFiles, folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const isOrphan = name.endsWith('.idx') && !names.includes(name.replace('.idx', '.seg'));
    if (isOrphan || /^\d{16}\.(seg|idx)\.tmp$/.test(name)) await files.unlink(join(folder, name));
  }
}

function firstSegment(o: OpenOptions, pool: SchemaPool): Segment {
  const half = (): string =>
    Math.floor(o.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  const runs = o.start.snapshots.map(({ source, table, run }): RunBegan => ({ source, table, run, seq: 0 }));
  const segment = new Segment(
    o.files,
    o.folder,
    {
      version: FORMAT_VERSION,
      log: half() + half(),
      pipeline: o.pipeline,
      base: 1,
      timeMs: o.clock.now(),
      place: { sources: o.start.sources, snapshots: o.start.snapshots },
      runs,
      eventsBefore: 0,
      previousBytes: 0,
    },
    pool,
  );
  segment.setOpen(SegmentIndex.empty(segment.header.log, 1, segment.headerEnd));
  return segment;
}

/** Headers alone, whatever the size of the log; each says where the one before must end. */
async function openAll(o: OpenOptions, names: readonly string[], pool: SchemaPool): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of names) {
    const path = join(o.folder, name);
    const { header, headerEnd, size } = await readSegmentStart(o.files, path);
    if (header.pipeline !== o.pipeline) {
      throw unavailable(
        o.folder,
        `belongs to the pipeline "${header.pipeline}", not to "${o.pipeline}"`,
        'Give each pipeline its own log.path',
      );
    }
    const previous = segments.at(-1);
    if (previous !== undefined) {
      if (header.log !== previous.header.log) throw corrupt(path, 0, 'it belongs to another log than the file before');
      if (header.previousBytes !== previous.bytes) {
        throw corrupt(
          previous.reader.path,
          Math.min(previous.bytes, header.previousBytes),
          `it has ${previous.bytes} bytes and was closed with ${header.previousBytes}, or the file after it is missing`,
        );
      }
      previous.setClosed(header);
    }
    const segment = new Segment(o.files, o.folder, header, pool, headerEnd);
    segment.bytes = size;
    segment.created = true;
    segments.push(segment);
  }
  return segments;
}

/** Finds the end of the last segment, cuts what is torn behind it, and syncs the rest: it may be in the cache only. */
async function recover(o: OpenOptions, active: Segment): Promise<{ file: LogFile; dictionary: Buffer[] }> {
  const { path } = active.reader,
    size = active.bytes;
  const { slot } = await readSegmentStart(o.files, path);
  const index = SegmentIndex.empty(active.header.log, active.header.base, active.headerEnd);
  const file = await o.files.open(path, 'write');
  try {
    const damage = await scanSegment(file, index, size, active.seed);
    assertNotSynced(path, index.end, damage, slot);
    if (index.end < size) {
      o.logger.warn('the change log ended in a record that was never confirmed; it was cut', {
        path,
        offset: index.end,
        bytes: size - index.end,
        reason: damage,
      });
      await file.truncate(index.end);
    }
    await rewrite(file, slot.synced, index.end);
    await file.sync();
    // The rename of a segment that was made just before a crash may not be on the disk yet.
    await o.files.syncFolder(o.folder);
    await file.write(encodeSlot({ readable: index.end, synced: index.end }, active.seed), slotOffset(0));
    active.setOpen(index);
    active.doneBytes = active.syncedBytes = active.reader.limit = index.end;
    return { file, dictionary: await readDictionary(file, index) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function assertNotSynced(path: string, end: number, damage: string | null, slot: Slot): void {
  if (end < slot.synced) throw corrupt(path, end, damage ?? `it ends here and was synced up to ${slot.synced}`);
}

/**
 * What is in the cache only may never reach the disk: if a sync of the process before failed, the system counts those pages as
 * written. Writing them again makes them count as new.
 */
async function rewrite(file: LogFile, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += BLOCK_BYTES) {
    const bytes = Buffer.alloc(Math.min(BLOCK_BYTES, to - at));
    await file.read(bytes, at);
    await file.write(bytes, at);
  }
}

async function readDictionary(file: LogFile, index: SegmentIndex): Promise<Buffer[]> {
  const dictionary: Buffer[] = [];
  for (const { at, bytes } of index.tables) {
    const content = Buffer.alloc(bytes - RECORD_HEAD_BYTES);
    await file.read(content, at + RECORD_HEAD_BYTES);
    dictionary.push(content);
  }
  return dictionary;
}
