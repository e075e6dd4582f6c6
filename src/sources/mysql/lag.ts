// How far reading is behind the end of the log, what the server keeps of it, and for how long.

import type { Lag, Position, Retention } from '../../sdk/index.ts';
import type { Queries } from './connection.ts';
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

export async function sourceLag(
  queries: Queries,
  facts: ServerFacts,
  place: Position | null,
  positions: BinlogPositions,
  history: Promise<number>,
): Promise<Lag> {
  const [end, files] = [await logEnd(queries, facts), await logFiles(queries)],
    name = parseFileName(end?.file ?? '');
  positions.learn(files);
  if (end === null || name === null) return { events: null, bytes: null };
  const at = placeAfter(await history, name, end.position, end.gtids);
  return {
    events: null,
    bytes: place === null ? null : positions.bytesBetween(place, at),
    end: { [PARTITION]: at },
    retention: retention(files, place, await keptSeconds(queries)),
  };
}

function retention(files: readonly LogFile[], place: Position | null, seconds: number | null): Retention {
  const at = place === null ? null : parsePlace(place),
    isThere = at === null || files.some((f) => f.name === fileName(at.base, at.fileNumber));
  return {
    by: seconds === null ? 'the binary log, until it is purged by hand' : `the binary log, for ${Math.round(seconds / 3600)} h`,
    retainedBytes: files.reduce((sum, f) => sum + f.size, 0),
    status: isThere ? null : 'lost',
    safeBytes: null,
    lossInMs: isThere ? null : 0,
  };
}
