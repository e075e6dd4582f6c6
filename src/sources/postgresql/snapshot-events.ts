// Rows that were read → events of op `r`.

import { ChangeEvent, type Position, type Row, type SnapshotMark, type TableSchema } from '../../sdk/index.ts';
import type { RowPlace } from '../../snapshot/marks.ts';
import type { OutputChunk } from '../../snapshot/types.ts';
import { PARTITION } from './position.ts';
import type { ReadRow } from './read-rows.ts';
import { RowPlaces } from './row-place.ts';
import type { CatalogShape } from './schemas.ts';

export interface RowEventsInit {
  readonly source: string;
  readonly rows: readonly ReadRow[];
  readonly chunk: OutputChunk;
  /** Where they go out. */
  readonly place: Position;
  readonly schemas: ReadonlyMap<CatalogShape, TableSchema>;
  readonly nowMs: number;
  placeOf(i: number): RowPlace;
}

/** The rows come of one read, or of one pass. No closure, text or mark per row. */
export function rowEvents({ source, rows, chunk, place, schemas, nowMs, placeOf }: RowEventsInit): ChangeEvent[] {
  const { run, table, chunk: number } = chunk,
    transaction = rows[0]?.origin.transaction ?? '',
    positions = new RowPlaces(place, run, number),
    last = rows.length - 1;
  const mark = (which: RowPlace): SnapshotMark => ({ run, table, chunk: number, place: which, transaction }),
    inner = mark('true');
  const events: ChangeEvent[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as ReadRow;
    events.push(
      new ChangeEvent({
        op: 'r',
        table: schemas.get(row.origin.shape) as TableSchema,
        source,
        partition: PARTITION,
        position: positions.at(i),
        sourceTsMs: nowMs,
        after: row.parts.length === 0 ? row : merged(row),
        snapshot: i === 0 || i === last ? mark(placeOf(i)) : inner,
      }),
    );
  }
  return events;
}

function merged(image: ReadRow): Row {
  const row = image.decode();
  for (const part of image.parts) Object.assign(row, part.decode());
  return row;
}
