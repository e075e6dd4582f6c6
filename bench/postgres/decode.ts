// CPU per event of the pgoutput decoder, over bytes in memory: finding the columns, plain objects, Debezium JSON. No socket, no
// engine. See README.md.

import { createEnvelope } from '../../src/envelope/create.ts';
import { ChangeEvent, type Op, type Position, type TableSchema } from '../../src/sdk/index.ts';
import { decodeMessage } from '../../src/sources/postgresql/pgoutput/decode.ts';
import type { PgoutputHandler } from '../../src/sources/postgresql/pgoutput/handler.ts';
import type { Relation } from '../../src/sources/postgresql/pgoutput/relation.ts';
import { RowLayout, type Tuple } from '../../src/sources/postgresql/pgoutput/tuple.ts';
import { columnOf, textColumnsOf } from '../../src/sources/postgresql/types.ts';
import { round } from '../lib/cpu.ts';
import { relationMessage, type Tape, TYPES, tape } from './orders.ts';

const EVENTS = 50_000;
/** 500,000 events of each kind at least, in pieces short enough to fall between other work on the machine. */
const WARM_UP = 5,
  REPEATS = 40;
/** As the source hands them on. */
const BATCH = 1000;
/** µs of CPU per event. */
const BUDGET: Readonly<Record<string, number>> = {
  'index, inserts': 0.1,
  'objects, inserts': 0.7,
  'debezium, inserts': 0.9,
  'debezium, full updates': 1.4,
};

/** Collects the rows of a batch. */
class Collector implements PgoutputHandler {
  readonly rows: Tuple[] = [];
  readonly olds: (Tuple | null)[] = [];
  #layout: RowLayout | null = null;
  table: TableSchema | null = null;

  relation(relation: Relation): void {
    this.#layout = new RowLayout(textColumnsOf(relation.columns, TYPES), relation);
    this.table = {
      id: { database: 'shop', schema: relation.schema, table: relation.table },
      columns: relation.columns.map((c) => columnOf({ ...c, nullable: !c.isKey }, TYPES)),
      key: relation.columns.filter((c) => c.isKey).map((c) => c.name),
      version: 1,
    };
  }
  insert(_hi: number, _lo: number, _oid: number, row: Tuple): void {
    this.rows.push(row.bind(this.#layout as RowLayout));
    this.olds.push(null);
  }
  update(_hi: number, _lo: number, _oid: number, _kind: 'K' | 'O' | null, old: Tuple | null, row: Tuple): void {
    this.rows.push(row.bind(this.#layout as RowLayout));
    this.olds.push(old === null ? null : old.bind(this.#layout as RowLayout));
  }
  clear(): void {
    this.rows.length = 0;
    this.olds.length = 0;
  }
  begin(): void {}
  commit(): void {}
  type(): void {}
  delete(): void {}
  truncate(): void {}
  message(): void {}
  origin(): void {}
  unknown(): void {}
}

const collector = new Collector();
const relation = relationMessage();
decodeMessage(relation, 0, relation.length, 0, 0, collector);

const envelope = createEnvelope(
  { type: 'debezium', options: {} },
  {
    pipeline: 'bench',
    version: '0.1.0',
    now: () => 1_709_210_097_000,
    sources: { shop: { connector: 'postgresql', database: 'shop', fields: () => FIELDS } },
  },
);
const FIELDS = { txId: 1, lsn: 786_014_104, sequence: '["786014000","786014104"]' };

let kept: unknown;

function eventsOf(op: Op): ChangeEvent[] {
  const events: ChangeEvent[] = [];
  for (let i = 0; i < collector.rows.length; i++) {
    events.push(
      new ChangeEvent({
        op,
        table: collector.table as TableSchema,
        source: 'shop',
        partition: 'main',
        position: '00000000b374d848/00000000b374d848/000000' as Position,
        sourceTsMs: 1_709_210_096_789,
        before: collector.olds[i] as Tuple | null,
        after: collector.rows[i] as Tuple,
      }),
    );
  }
  return events;
}

const STEPS: Readonly<Record<string, (op: Op) => void>> = {
  index: () => {
    kept = collector.rows;
  },
  objects: () => {
    for (const row of collector.rows) kept = row.decode();
  },
  events: (op) => {
    kept = eventsOf(op);
  },
  debezium: (op) => {
    kept = envelope.encode(eventsOf(op));
  },
};

function run({ bytes, starts }: Tape, op: Op, step: (op: Op) => void): void {
  for (let i = 0; i < starts.length - 1; ) {
    const to = Math.min(i + BATCH, starts.length - 1);
    for (; i < to; i++) decodeMessage(bytes, starts[i] as number, starts[i + 1] as number, 0, i, collector);
    step(op);
    collector.clear();
  }
}

/** The least of some repeats: other work on the machine only adds. */
function cpuPerEvent(recorded: Tape, op: Op, step: (op: Op) => void): number {
  for (let i = 0; i < WARM_UP; i++) run(recorded, op, step);
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    run(recorded, op, step);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / EVENTS);
  }
  return best;
}

const result: Record<string, number> = {};
let failed = false;
for (const [kind, op] of [
  ['inserts', 'c'],
  ['full updates', 'u'],
] as const) {
  const recorded = tape(kind, EVENTS);
  for (const [name, step] of Object.entries(STEPS)) {
    const cost = cpuPerEvent(recorded, op, step),
      budget = BUDGET[`${name}, ${kind}`];
    result[`${name}, ${kind}`] = round(cost);
    failed ||= budget !== undefined && cost > budget;
    console.log(`${`${name}, ${kind}`.padEnd(28)} ${cost.toFixed(3)} µs${budget === undefined ? '' : `  (budget ${budget})`}`);
  }
  console.log(`${(recorded.bytes.length / EVENTS).toFixed(0)} bytes per message`);
}
console.log(JSON.stringify({ scenario: 'postgres/decode', us_per_event: result, budget: BUDGET, kept: kept === undefined }));
if (failed) process.exitCode = 1;
