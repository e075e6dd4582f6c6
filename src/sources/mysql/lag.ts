// How far reading is behind the end of the log, what the server keeps of it, and for how long.

import type { Lag, Position, Retention } from '../../sdk/index.ts';
import type { Queries } from './connection.ts';
import type { LogAges } from './log-ages.ts';
import { type BinlogPositions, fileName, PARTITION, parseFileName, parsePlace, placeAfter } from './position.ts';
import { type LogFile, logEnd, logFiles, type ServerFacts, variables } from './server-facts.ts';

const DAY_S = 86_400;
const KEEPING = ['binlog_expire_logs_seconds', 'expire_logs_days', 'binlog_expire_logs_auto_purge'];

/** Seconds that files are kept after they were written; `null`: until somebody removes them. */
export async function keptSeconds(queries: Queries): Promise<number | null> {
  const found = await variables(queries, KEEPING),
    seconds = Number(found.get('binlog_expire_logs_seconds') ?? 0) || Number(found.get('expire_logs_days') ?? 0) * DAY_S;
  return found.get('binlog_expire_logs_auto_purge') === 'OFF' || seconds === 0 ? null : seconds;
}

/** What a source knows of its reading. */
export interface ReadSoFar {
  /** What was handed over; `null`: it does not read. */
  readonly place: Position | null;
  /** Where it would go on behind a restart; `null`: nothing is known to be stored. */
  readonly stored: Position | null;
  readonly ages: LogAges | null;
}

export async function sourceLag(
  queries: Queries,
  facts: ServerFacts,
  { place, stored, ages }: ReadSoFar,
  positions: BinlogPositions,
  history: Promise<number>,
): Promise<Lag> {
  const [end, files] = [await logEnd(queries, facts), await logFiles(queries)],
    name = parseFileName(end?.file ?? '');
  positions.learn(files);
  if (end === null || name === null) return { events: null, bytes: null };
  const at = placeAfter(await history, name, end.position, end.gtids),
    [clock] = await queries.query('SELECT UNIX_TIMESTAMP() AS seconds');
  return {
    events: null,
    bytes: place === null ? null : positions.bytesBetween(place, at),
    end: { [PARTITION]: at },
    retention: retentionOf({
      files,
      needed: stored ?? place,
      endFile: name.number,
      keptSeconds: await keptSeconds(queries),
      nowSeconds: Number(clock?.['seconds']),
      writtenUntil: (file) => ages?.writtenUntil(file) ?? null,
    }),
  };
}

export interface Kept {
  /** All that the server has. */
  readonly files: readonly LogFile[];
  /** Where reading goes on behind a restart. */
  readonly needed: Position | null;
  /** The file that is being written. */
  readonly endFile: number;
  readonly keptSeconds: number | null;
  /** By the server's clock. */
  readonly nowSeconds: number;
  readonly writtenUntil: (file: number) => number | null;
}

/** Pure. Servers remove a file so many seconds after it was written last, when they begin a new one, and never the one they write to. */
export function retentionOf({ files, needed, endFile, keptSeconds: kept, nowSeconds, writtenUntil }: Kept): Retention {
  const at = needed === null ? null : parsePlace(needed),
    isThere = at === null || files.some((f) => f.name === fileName(at.base, at.fileNumber));
  const since = at === null ? null : at.fileNumber === endFile ? nowSeconds : writtenUntil(at.fileNumber),
    leftMs = kept === null || since === null ? null : Math.max(0, since + kept - nowSeconds) * 1000;
  return {
    by: kept === null ? 'the binary log, until it is purged by hand' : `the binary log, for ${Math.round(kept / 3600)} h`,
    retainedBytes: files.reduce((sum, f) => sum + f.size, 0),
    status: isThere ? null : 'lost',
    safeBytes: null,
    lossInMs: isThere ? leftMs : 0,
  };
}
