// What moving points means in events, as far as the log on disk holds them: counted per destination and table before anything
// is moved.

import { type LaneMove, type MoveFacts, movablePoint } from '../engine/move-points.ts';
import { coversSources } from '../engine/places.ts';
import type { DiskLogReader } from '../log/disk/log-reader.ts';
import type { ChangeEvent } from '../sdk/change-event.ts';
import type { ResumePoint } from '../sdk/position.ts';
import { formatTableId } from '../sdk/table-schema.ts';
import { formatTime, plural } from './format.ts';
import type { Colors } from './output.ts';

export interface MoveCount {
  /** Events per table. */
  readonly again: { [table: string]: number };
  readonly skipped: { [table: string]: number };
  /** When the first and the last of them were committed at the source; `null`: there are none. */
  firstMs: number | null;
  lastMs: number | null;
}
/** By destination. */
export type MoveCounts = ReadonlyMap<string, MoveCount>;

/** Before the destination's own filter. `null` without a log on disk: then only the source knows. */
export async function countInLog(facts: MoveFacts, moves: readonly LaneMove[], reader: DiskLogReader | null): Promise<MoveCounts | null> {
  if (reader === null || moves.length === 0) return null;
  const lanes = moves.map((move) => ({ move, from: movablePoint(facts, move.lane), count: emptyCount() }));
  for await (const { batch } of reader.scan()) {
    for (const event of batch.events) {
      for (const { move, from, count } of lanes) {
        const effect = effectOn(facts, move, from, event);
        if (effect !== null) add(count, effect, event);
      }
    }
  }
  return new Map(lanes.map(({ move, count }) => [move.lane, count]));
}

const emptyCount = (): MoveCount => ({ again: {}, skipped: {}, firstMs: null, lastMs: null });

function effectOn({ codecs, log }: MoveFacts, { to, tables }: LaneMove, from: ResumePoint, event: ChangeEvent): 'again' | 'skipped' | null {
  const { source, partition, position, snapshot } = event;
  // Messages of a queue have no place: all of them come again.
  if (codecs[source] === undefined) return log?.queues.includes(source) === true ? 'again' : null;
  // Rows of a snapshot come again only where its progress is moved.
  if (snapshot !== false) return tables.includes(`${source}: ${snapshot.table}`) ? 'again' : null;
  const place = { [source]: { [partition]: position } };
  const had = coversSources(codecs, from.sources, place),
    has = coversSources(codecs, to.sources, place);
  return had === has ? null : had ? 'again' : 'skipped';
}

function add(count: MoveCount, effect: 'again' | 'skipped', { table, sourceTsMs }: ChangeEvent): void {
  const name = formatTableId(table.id);
  count[effect][name] = (count[effect][name] ?? 0) + 1;
  count.firstMs = Math.min(count.firstMs ?? sourceTsMs, sourceTsMs);
  count.lastMs = Math.max(count.lastMs ?? sourceTsMs, sourceTsMs);
}

/** `  replica  the log sends 5 events again (people 4, cities 1), of 2026-01-02 03:04:05 UTC to 2026-01-02 03:05:00 UTC` */
export function countLines(counts: MoveCounts | null, c: Colors): string[] {
  return [...(counts ?? [])].flatMap(([lane, { again, skipped, firstMs, lastMs }]) => {
    const when = firstMs === null || lastMs === null ? '' : `, of ${formatTime(firstMs)} to ${formatTime(lastMs)}`;
    const sent = totalOf(again),
      left = totalOf(skipped);
    const said = [
      ...(sent === 0 && left > 0 ? [] : [`the log sends ${plural(sent, 'event')} again${perTable(again)}`]),
      ...(left === 0 ? [] : [c.red(`${plural(left, 'event')} of the log ${left === 1 ? 'is' : 'are'} skipped${perTable(skipped)}`)]),
    ];
    return [`  ${lane}  ${said.join(', ')}${when}`];
  });
}

const totalOf = (tables: Readonly<Record<string, number>>): number => Object.values(tables).reduce((sum, n) => sum + n, 0);

function perTable(tables: Readonly<Record<string, number>>): string {
  const names = Object.entries(tables).sort(([, a], [, b]) => b - a);
  return names.length === 0 ? '' : ` (${names.map(([name, n]) => `${name} ${n}`).join(', ')})`;
}
