// The generator as a log source: partitions in turn, batches as large as asked for, paced by the clock when a rate is set.

import {
  CdcError,
  type ChangeBatch,
  ChangeEvent,
  type ComponentContext,
  type Finding,
  type Lag,
  type PartitionPositions,
  type Position,
  type PositionCodec,
  positionOfNumber,
  type ReadContext,
  type Source,
  type SourceDescription,
  sortablePositions,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import type { GeneratorConfig } from './config.ts';
import { OpPlan } from './op-plan.ts';
import { GeneratedKey, GeneratedRow, generatedTable, RowRecipe, sequenceTimeMs } from './row.ts';

/** Memory of an event object beside its row, as counted against the bounds of the queues. */
const EVENT_BYTES = 200;
/** After a pause the source catches up by at most this much, so that a stall does not end in a flood. */
const MAX_BURST_MS = 1_000;
const IDLE_MS = 60_000;
/** Positions are put together from a cached head and four digits from a table: 10 ns instead of 90 ns for padStart. */
const TAIL = 10_000;
const TAILS: readonly string[] = Array.from({ length: TAIL }, (_, i) => String(i).padStart(4, '0'));

interface PartitionState {
  readonly name: string;
  readonly number: number;
  /** Number of the last event that was handed over. */
  done: number;
  last: number;
}

export class GeneratorSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions: PositionCodec = {
    ...sortablePositions('event'),
    parse: (text) => (/^(event )?\d{1,16}$/.test(text) ? positionOfNumber(BigInt(text.replace('event ', ''))) : null),
  };
  readonly #config: GeneratorConfig;
  readonly #ctx: ComponentContext;
  readonly #plans: readonly OpPlan[];
  readonly #recipe: RowRecipe;
  readonly #tables: readonly TableSchema[];
  readonly #partitions: readonly PartitionState[];

  constructor(config: GeneratorConfig, ctx: ComponentContext) {
    this.#config = config;
    this.#ctx = ctx;
    this.#recipe = new RowRecipe(config.seed, config.row_bytes);
    this.#tables = config.tables.map(generatedTable);
    this.#partitions = Array.from({ length: config.partitions }, (_, number) => ({
      name: String(number),
      number,
      done: 0,
      last: this.#countOf(number),
    }));
    this.#plans = this.#partitions.map((p) => new OpPlan(config.seed + p.number, config.keys, config.mix));
  }

  describe(): SourceDescription {
    return { connector: 'generator', database: null };
  }

  async *check(): AsyncIterable<Finding> {
    yield {
      level: 'ok',
      check: 'generator',
      message: this.#config.count === null ? 'makes events without end' : `makes ${this.#config.count} events`,
    };
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const { count } = this.#config;
    for (const p of this.#partitions) {
      const from = await ctx.assign(p.name);
      p.done = from === null ? 0 : Number(from);
      p.last = ctx.until === null ? this.#countOf(p.number) : Number(ctx.until.partitions[p.name] ?? 0);
    }
    const perBatch = Math.max(1, Math.min(ctx.maxBatchEvents, Math.floor(ctx.maxBatchBytes / this.#eventBytes())));
    const pace = new Pace(this.#config.rate, this.#ctx.clock);
    while (!signal.aborted) {
      const open = this.#partitions.filter((p) => p.done < p.last);
      if (open.length === 0) break;
      for (const p of open) {
        const due = await pace.due(Math.min(perBatch, p.last - p.done), signal);
        if (due === 0) return;
        yield this.#batch(p, due);
        if (signal.aborted) return;
      }
    }
    // A continuous run stays open when all is said: an ended source would look like one that broke off.
    if (ctx.until === null && count !== null) while (!signal.aborted) await this.#ctx.clock.sleep(IDLE_MS, signal);
  }

  async end(): Promise<PartitionPositions> {
    // Without a count there is nothing that exists already: a one_time run of an endless generator ends at once.
    const last = (p: PartitionState): number => (this.#config.count === null ? 0 : this.#countOf(p.number));
    return Object.fromEntries(this.#partitions.map((p) => [p.name, positionOfNumber(last(p))]));
  }

  async acknowledge(): Promise<void> {}

  async acknowledged(): Promise<null> {
    return null;
  }

  async lag(): Promise<Lag> {
    if (this.#config.count === null) return { events: null, bytes: null };
    const events = this.#partitions.reduce((sum, p) => sum + Math.max(0, this.#countOf(p.number) - p.done), 0);
    return { events, bytes: events * this.#config.row_bytes };
  }

  async schema(table: TableId): Promise<TableSchema> {
    const found = this.#tables.find((t) => t.id.table === table.table);
    if (found !== undefined) return found;
    throw new CdcError('SOURCE_MISCONFIGURED', `The generator makes no table "${table.table}".`, {
      where: `source "${this.#ctx.name}"`,
      fix: 'Add the table to the key tables.',
    });
  }

  async close(): Promise<void> {}

  /** Events of a partition: the count is spread evenly, the first partitions take what is left over. */
  #countOf(partition: number): number {
    const { count, partitions } = this.#config;
    if (count === null) return Number.MAX_SAFE_INTEGER;
    return Math.floor(count / partitions) + (partition < count % partitions ? 1 : 0);
  }

  #eventBytes(): number {
    return this.#config.row_bytes + EVENT_BYTES;
  }

  #batch(p: PartitionState, size: number): ChangeBatch {
    const events: ChangeEvent[] = [];
    const now = this.#config.event_time === 'clock' ? this.#ctx.clock.now() : null;
    const first = p.done + 1,
      last = p.done + size;
    let head = '',
      nextHead = first;
    for (let n = first; n <= last; n++) {
      if (n >= nextHead) {
        const high = Math.floor(n / TAIL);
        head = String(high).padStart(12, '0');
        nextHead = (high + 1) * TAIL;
      }
      events.push(this.#event(p, n, (head + (TAILS[n % TAIL] as string)) as Position, now ?? sequenceTimeMs(n)));
    }
    p.done = last;
    return { events, source: this.#ctx.name, partition: p.name, resume: positionOfNumber(last), bytes: size * this.#eventBytes() };
  }

  #event(p: PartitionState, n: number, position: Position, sourceTsMs: number): ChangeEvent {
    const plan = this.#plans[p.number] as OpPlan;
    const op = plan.op(n),
      key = plan.key(n);
    const table = this.#tables[key % this.#tables.length] as TableSchema;
    const id = key * this.#partitions.length + p.number + 1; // a row lives in one partition, so its changes stay in order
    return new ChangeEvent({
      op,
      table,
      source: this.#ctx.name,
      partition: p.name,
      position,
      sourceTsMs,
      before: op === 'd' ? new GeneratedKey(id) : null,
      after: op === 'd' ? null : new GeneratedRow(this.#recipe, n, id),
    });
  }
}

/** How many events may be sent now. */
class Pace {
  readonly #rate: number | null;
  readonly #clock: ComponentContext['clock'];
  #startMs: number;
  #sent = 0;

  constructor(rate: number | null, clock: ComponentContext['clock']) {
    this.#rate = rate;
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  /** At most `wanted`; waits until it is at least one; 0 when aborted. */
  async due(wanted: number, signal: AbortSignal): Promise<number> {
    if (this.#rate === null) return signal.aborted ? 0 : wanted;
    while (!signal.aborted) {
      const behindMs = this.#clock.now() - this.#startMs - (this.#sent * 1000) / this.#rate;
      // The clock was set back: nothing is made up for.
      if (behindMs < -1000 / this.#rate) {
        this.#startMs += behindMs;
        continue;
      }
      if (behindMs > MAX_BURST_MS) this.#startMs += behindMs - MAX_BURST_MS;
      const due = Math.floor((Math.min(behindMs, MAX_BURST_MS) * this.#rate) / 1000);
      if (due > 0) {
        const size = Math.min(wanted, due);
        this.#sent += size;
        return size;
      }
      await this.#clock.sleep(Math.max(1, Math.ceil(1000 / this.#rate - behindMs)), signal);
    }
    return 0;
  }
}
