// CPU per event of the pgoutput decoder, over bytes in memory: finding the columns, plain objects, Debezium JSON. No socket, no
// engine. See README.md.

import { createEnvelope } from '../../src/envelope/create.ts';
import type { TableSchema } from '../../src/sdk/index.ts';
import { Assembler } from '../../src/sources/postgresql/batches.ts';
import { decodeMessage } from '../../src/sources/postgresql/pgoutput/decode.ts';
import type { PgoutputHandler } from '../../src/sources/postgresql/pgoutput/handler.ts';
import type { Relation } from '../../src/sources/postgresql/pgoutput/relation.ts';
import { RowLayout, type Tuple } from '../../src/sources/postgresql/pgoutput/tuple.ts';
import { positionAfter } from '../../src/sources/postgresql/position.ts';
import { columnOf, textColumnsOf } from '../../src/sources/postgresql/types.ts';
import { round } from '../lib/cpu.ts';
import { relationMessage, type Tape, TYPES, tape } from './orders.ts';

const EVENTS = 50_000;
/** 500,000 events of each kind at least, in pieces short enough to fall between other work on the machine. */
const WARM_UP = 5,
  REPEATS = Number(process.env['REPEATS'] ?? 40);
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
  #relation: Relation | null = null;

  relation(relation: Relation): void {
    this.#relation = relation;
    this.#layout = new RowLayout(textColumnsOf(relation.columns, TYPES), relation);
  }
  /** What was described. */
  read(use: (relation: Relation, schema: TableSchema, layout: RowLayout) => void): void {
    const relation = this.#relation as Relation;
    const schema = {
      id: { database: 'shop', schema: relation.schema, table: relation.table },
      columns: relation.columns.map((c) => columnOf({ ...c, nullable: !c.isKey }, TYPES)),
      key: relation.columns.filter((c) => c.isKey).map((c) => c.name),
      version: 1,
    };
    use(relation, schema, this.#layout as RowLayout);
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

const assembler = new Assembler({
  source: 'shop',
  database: 'shop',
  behind: positionAfter(0n),
  emitTruncates: true,
  isMessage: () => true,
  observer: null,
});
decodeMessage(relation, 0, relation.length, 0, 0, assembler);
collector.read((relation, schema, layout) =>
  assembler.resolve(relation, { schema, layout, transaction: 0, count: 0 }, null, positionAfter(0n)),
);

const envelope = createEnvelope(
  { type: 'debezium', options: {} },
  {
    pipeline: 'bench',
    version: '0.1.0',
    now: () => 1_709_210_097_000,
    sources: {
      shop: { connector: 'postgresql', database: 'shop', fields: (e) => e.lazyPosition()?.fields(e.transaction?.id ?? null) ?? {} },
    },
  },
);

let kept: unknown;

/** What a transaction of the stream becomes: tuples alone, or a batch of the source. */
const STEPS: Readonly<Record<string, { readonly to: PgoutputHandler; done(): void }>> = {
  index: {
    to: collector,
    done: () => {
      kept = collector.rows;
    },
  },
  objects: {
    to: collector,
    done: () => {
      for (const row of collector.rows) kept = row.decode();
    },
  },
  events: {
    to: assembler,
    done: () => {
      kept = assembler.take(BATCH, Number.MAX_SAFE_INTEGER);
    },
  },
  debezium: {
    to: assembler,
    done: () => {
      const encoded = envelope.encode(assembler.take(BATCH, Number.MAX_SAFE_INTEGER).events);
      kept = encoded;
      // As the engine does once the batch is stored.
      encoded.release?.();
    },
  },
};

let transactions = 0;

function run({ bytes, starts }: Tape, { to, done }: (typeof STEPS)[string]): void {
  for (let i = 0; i < starts.length - 1; ) {
    const end = Math.min(i + BATCH, starts.length - 1);
    const commit = 3_000_000_000 + ++transactions * 1_000_000;
    to.begin(0, commit >>> 0, 800_000_000_000_000n, transactions);
    for (; i < end; i++) decodeMessage(bytes, starts[i] as number, starts[i + 1] as number, 0, ((commit >>> 0) + i * 240) >>> 0, to);
    to.commit(0, BigInt(commit), BigInt(commit + 40), 800_000_000_000_000n);
    done();
    collector.clear();
  }
}

/** The least of some repeats: other work on the machine only adds. */
function cpuPerEvent(recorded: Tape, step: (typeof STEPS)[string]): number {
  for (let i = 0; i < WARM_UP; i++) run(recorded, step);
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    run(recorded, step);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / EVENTS);
  }
  return best;
}

const result: Record<string, number> = {};
let failed = false;
for (const kind of ['inserts', 'full updates'] as const) {
  const recorded = tape(kind, EVENTS);
  for (const [name, step] of Object.entries(STEPS)) {
    const cost = cpuPerEvent(recorded, step),
      budget = BUDGET[`${name}, ${kind}`];
    result[`${name}, ${kind}`] = round(cost);
    failed ||= budget !== undefined && cost > budget;
    console.log(`${`${name}, ${kind}`.padEnd(28)} ${cost.toFixed(3)} µs${budget === undefined ? '' : `  (budget ${budget})`}`);
  }
  console.log(`${(recorded.bytes.length / EVENTS).toFixed(0)} bytes per message`);
}
console.log(JSON.stringify({ scenario: 'postgres/decode', us_per_event: result, budget: BUDGET, kept: kept === undefined }));
if (failed) process.exitCode = 1;
