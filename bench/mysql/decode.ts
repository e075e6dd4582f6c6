// CPU per row of the binlog decoder, over bytes in memory: borders of rows with the CRC verified, plain objects, Debezium JSON. No
// socket, no engine. See README.md.

import { createEnvelope } from '../../src/envelope/create.ts';
import { ChangeEvent, type TableSchema } from '../../src/sdk/index.ts';
import { BinlogDecoder } from '../../src/sources/mysql/binlog/decoder.ts';
import type { RowsEvent } from '../../src/sources/mysql/binlog/events.ts';
import type { RowShape } from '../../src/sources/mysql/binlog/row-shape.ts';
import { BinlogRow, RowLayout } from '../../src/sources/mysql/binlog/rows.ts';
import { ChangePlace, TransactionPlace } from '../../src/sources/mysql/position.ts';
import { columnOf, textColumnOf } from '../../src/sources/mysql/types.ts';
import { round } from '../lib/cpu.ts';
import { type Tape, tape } from './orders.ts';

const ROWS = 50_000;
/** 500,000 rows of each kind at least, in pieces short enough to fall between other work on the machine. */
const WARM_UP = 5,
  REPEATS = Number(process.env['REPEATS'] ?? 20);
/** As the source hands them on. */
const BATCH = 1000;
/** µs of CPU per row. */
const BUDGET: Readonly<Record<string, number>> = {
  'borders, inserts, mariadb': 0.2,
  'objects, inserts, mariadb': 1.5,
  'debezium, inserts, mariadb': 1.2,
  'debezium, inserts, mysql': 2,
};

const envelope = createEnvelope(
  { type: 'debezium', options: {} },
  {
    pipeline: 'bench',
    version: '0.1.0',
    now: () => 1_709_210_097_000,
    sources: {
      shop: { connector: 'mysql', database: 'shop', fields: (e) => e.lazyPosition()?.fields(null) ?? {} },
    },
  },
);
const PLACE = new TransactionPlace(1, { base: 'mysql-bin', number: 1 }, 417_607, { serverId: 1, gtid: '0-1-100', done: '0-1-99' });
let eventPosition = 417_900,
  changeNumber = 0;
const TRANSACTION = { id: '0-1-1', order: 1, collectionOrder: 1, commitTsMs: 1_709_210_096_000, last: false };

let kept: unknown;
let layout: RowLayout | null = null,
  schema: TableSchema | null = null;
const batch: ChangeEvent[] = [];

function prepare(event: RowsEvent): void {
  const { columns } = event.table;
  layout = new RowLayout(columns.map((c, i) => textColumnOf(c, i)));
  schema = {
    id: { database: 'shop', schema: null, table: event.table.table },
    columns: columns.map((c, i) => columnOf(c, i)),
    key: ['id'],
    version: 1,
  };
}

function objects(event: RowsEvent): void {
  const images = event.starts.length - 1,
    shape = (event.after ?? event.before) as RowShape;
  for (let i = 0; i < images; i++) kept = new BinlogRow(event.bytes, event.starts[i] as number, shape, layout as RowLayout).decode();
}

function changes({ header, bytes, starts, op, before, after, rowCount }: RowsEvent): void {
  const table = schema as TableSchema,
    columns = layout as RowLayout;
  eventPosition += header.length;
  for (let i = 0; i < rowCount; i++) {
    const at = op === 'u' ? i * 2 : i;
    batch.push(
      new ChangeEvent({
        op,
        table,
        source: 'shop',
        partition: 'main',
        position: new ChangePlace(PLACE, ++changeNumber, eventPosition, i),
        sourceTsMs: 1_709_210_096_000,
        transaction: TRANSACTION,
        before: before === null ? null : new BinlogRow(bytes, starts[at] as number, before, columns),
        after: after === null ? null : new BinlogRow(bytes, starts[op === 'u' ? at + 1 : at] as number, after, columns),
      }),
    );
  }
  if (batch.length >= BATCH) {
    const encoded = envelope.encode(batch);
    kept = encoded;
    // As the engine does once the batch is stored.
    encoded.release?.();
    batch.length = 0;
  }
}

const STEPS: Readonly<Record<string, (event: RowsEvent) => void>> = {
  borders: (event) => {
    kept = event;
  },
  objects,
  debezium: changes,
};

function run({ bytes, starts }: Tape, step: (event: RowsEvent) => void): void {
  const decoder = new BinlogDecoder();
  layout = null;
  for (let i = 0; i < starts.length - 1; i++) {
    const event = decoder.decode(bytes, starts[i] as number, starts[i + 1] as number);
    if (event.kind !== 'rows') continue;
    if (layout === null) prepare(event);
    step(event);
  }
}

/** The least of some repeats: other work on the machine only adds. */
function cpuPerRow(recorded: Tape, step: (event: RowsEvent) => void): number {
  for (let i = 0; i < WARM_UP; i++) run(recorded, step);
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    run(recorded, step);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / recorded.rows);
  }
  return best;
}

const result: Record<string, number> = {};
let failed = false;
for (const flavor of ['mariadb', 'mysql'] as const) {
  for (const [kind, perStatement] of [
    ['inserts', 1000],
    ['updates', 1000],
  ] as const) {
    const recorded = tape(kind, flavor, ROWS, perStatement);
    for (const [name, step] of Object.entries(STEPS)) {
      const label = `${name}, ${kind}, ${flavor}`,
        cost = cpuPerRow(recorded, step),
        budget = BUDGET[label];
      result[label] = round(cost);
      failed ||= budget !== undefined && cost > budget;
      console.log(`${label.padEnd(32)} ${cost.toFixed(3)} µs${budget === undefined ? '' : `  (budget ${budget})`}`);
    }
    console.log(`${(recorded.bytes.length / ROWS).toFixed(0)} bytes per row`);
  }
}
console.log(JSON.stringify({ scenario: 'mysql/decode', us_per_row: result, budget: BUDGET, kept: kept === undefined }));
if (failed) process.exitCode = 1;
