// CPU per row of a snapshot, over bytes in memory: images, events, Debezium JSON. No socket, no engine. See README.md.

import { createEnvelope } from '../../src/envelope/create.ts';
import type { ChangeEvent, TableSchema } from '../../src/sdk/index.ts';
import { decodeMessage } from '../../src/sources/postgresql/pgoutput/decode.ts';
import type { PgoutputHandler } from '../../src/sources/postgresql/pgoutput/handler.ts';
import type { Relation } from '../../src/sources/postgresql/pgoutput/relation.ts';
import { RowLayout } from '../../src/sources/postgresql/pgoutput/tuple.ts';
import { positionAfter } from '../../src/sources/postgresql/position.ts';
import { type ReadRow, ReadRows } from '../../src/sources/postgresql/read-rows.ts';
import { DATA_ROW, FrameList, scanFrames } from '../../src/sources/postgresql/replication/frames.ts';
import type { CatalogShape } from '../../src/sources/postgresql/schemas.ts';
import { rowEvents } from '../../src/sources/postgresql/snapshot-events.ts';
import { columnOf, textColumnsOf } from '../../src/sources/postgresql/types.ts';
import { round } from '../lib/cpu.ts';
import { dataRows, relationMessage, TYPES } from './orders.ts';

const ROWS = 50_000;
const WARM_UP = 5,
  REPEATS = Number(process.env['REPEATS'] ?? 40);
const CHUNK_BYTES = 4 << 20,
  BATCH = 1000;
/** µs of CPU per row: what a streamed insert may cost. */
const BUDGET: Readonly<Record<string, number>> = { rows: 0.1, events: 0.25, debezium: 0.9 };

const described = new Promise<Relation>((resolve) => {
  const message = relationMessage();
  decodeMessage(message, 0, message.length, 0, 0, { relation: resolve } as Partial<PgoutputHandler> as PgoutputHandler);
});
const relation = await described,
  schema: TableSchema = {
    id: { database: 'shop', schema: relation.schema, table: relation.table },
    columns: relation.columns.map((c) => columnOf({ ...c, nullable: !c.isKey }, TYPES)),
    key: relation.columns.filter((c) => c.isKey).map((c) => c.name),
    version: 1,
  },
  layout = new RowLayout(textColumnsOf(relation.columns, TYPES), relation),
  shape = { schema, layout, relation, version: { columns: [] } } as unknown as CatalogShape,
  schemas = new Map([[shape, schema]]);

const envelope = createEnvelope(
  { type: 'debezium', options: {} },
  {
    pipeline: 'bench',
    version: '0.1.0',
    now: () => 1_709_210_097_000,
    sources: { shop: { connector: 'postgresql', database: 'shop', fields: (e) => e.lazyPosition()?.fields(null) ?? {} } },
  },
);

function eventsOf(rows: readonly ReadRow[], chunk: number): ChangeEvent[] {
  return rowEvents({
    source: 'shop',
    rows,
    chunk: { table: 'public.orders', run: '10b7a5f00.9c3e11d2', chunk, isFirst: false, isLast: false },
    place: positionAfter(3_000_000_000n),
    schemas,
    nowMs: 1_709_210_097_000,
    placeOf: () => 'true',
  });
}

const STEPS: Readonly<Record<string, (rows: ReadRow[], chunk: number) => unknown>> = {
  rows: (rows) => rows,
  events: eventsOf,
  debezium: (rows, chunk) => envelope.encode(eventsOf(rows, chunk)),
};

const bytes = dataRows(ROWS);
let kept: unknown;

function run(step: (typeof STEPS)[string]): void {
  let chunk = 0;
  for (let at = 0; at < bytes.length; ) {
    const list = new FrameList();
    at = scanFrames(bytes, at, Math.min(bytes.length, at + CHUNK_BYTES), list, () => {}, DATA_ROW);
    const read = new ReadRows({ shape, transaction: '739' }, ['id']);
    read.push({ bytes, ...list.cut() });
    for (let from = 0; from < read.count; from += BATCH) {
      const rows: ReadRow[] = [];
      for (let i = from; i < Math.min(from + BATCH, read.count); i++) rows.push(read.row(i));
      chunk += 1000;
      kept = step(rows, chunk);
    }
  }
}

/** The least of some repeats: other work on the machine only adds. */
function cpuPerRow(step: (typeof STEPS)[string]): number {
  for (let i = 0; i < WARM_UP; i++) run(step);
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    run(step);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / ROWS);
  }
  return best;
}

const result: Record<string, number> = {};
for (const [name, step] of Object.entries(STEPS)) {
  const cost = cpuPerRow(step),
    budget = BUDGET[name] as number;
  result[name] = round(cost);
  console.log(`${name.padEnd(10)} ${cost.toFixed(3)} µs  (budget ${budget})`);
  if (cost > budget) process.exitCode = 1;
}
console.log(`${(bytes.length / ROWS).toFixed(0)} bytes per row`);
console.log(JSON.stringify({ scenario: 'postgres/rows', us_per_row: result, budget: BUDGET, kept: kept === undefined }));
