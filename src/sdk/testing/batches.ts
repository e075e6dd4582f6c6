// What a suite needs to play the engine's part towards a destination: events, points and lane batches.

import {
  ChangeEvent,
  type ChangeEventInit,
  type EncodedBatch,
  type LaneBatch,
  type LaneId,
  type Position,
  positionOfNumber,
  type ResumePoint,
  type Row,
  type TableSchema,
} from '../index.ts';
import { encodeFake } from './fakes/envelope.ts';
import { ITEMS } from './sample-tables.ts';

export const LANE: LaneId = { pipeline: 'contract', lane: 'main' };
const SOURCE = 'origin',
  PARTITION = 'main';
const LOG_ID = 'contract-log';
const COMMIT_MS = Date.UTC(2024, 0, 1);

/** A point of the suite's only source: everything up to event `n` is done. */
export function pointAt(n: number, epoch = 1): ResumePoint {
  const sources: ResumePoint['sources'] = n === 0 ? {} : { [SOURCE]: { [PARTITION]: positionOfNumber(n) } };
  return { epoch, log: { id: LOG_ID, seq: n }, sources, snapshots: [] };
}

/** Makes events with growing positions. */
export class Events {
  #last = 0;
  readonly table: TableSchema;
  constructor(table: TableSchema = ITEMS) {
    this.table = table;
  }

  get last(): number {
    return this.#last;
  }

  make(init: Partial<ChangeEventInit> & Pick<ChangeEventInit, 'op'>): ChangeEvent {
    const n = ++this.#last;
    return new ChangeEvent({
      table: this.table,
      source: SOURCE,
      partition: PARTITION,
      position: positionOfNumber(n) as Position,
      sourceTsMs: COMMIT_MS + n,
      transaction: { id: `t${n}`, order: 1, collectionOrder: 1, commitTsMs: COMMIT_MS + n, last: true },
      ...init,
    });
  }

  create(after: Row): ChangeEvent {
    return this.make({ op: 'c', after });
  }
  update(before: Row | null, after: Row): ChangeEvent {
    return this.make({ op: 'u', before, after });
  }
  remove(before: Row): ChangeEvent {
    return this.make({ op: 'd', before });
  }
  truncate(): ChangeEvent {
    return this.make({ op: 't' });
  }
  /** An update that carries some of the columns. */
  partial(before: Row | null, after: Row): ChangeEvent {
    return this.make({ op: 'u', before, after, incomplete: true });
  }
}

export const item = (id: number, name: string, note: string | null = null): Row => ({ id, name, note });

export interface BatchOptions {
  readonly skip?: Iterable<number>;
  readonly previous?: ResumePoint;
  readonly through?: ResumePoint;
  readonly epoch?: number;
  readonly encode?: (events: readonly ChangeEvent[]) => EncodedBatch;
}

/** A lane batch whose points follow from its events: from the one before the first to the last. */
export function laneBatch(events: readonly ChangeEvent[], options: BatchOptions = {}): LaneBatch {
  const epoch = options.epoch ?? 1,
    first = events[0],
    last = events.at(-1);
  const previous = options.previous ?? pointAt(first === undefined ? 0 : Number(first.position) - 1, epoch);
  let encoded: EncodedBatch | null = null;
  return {
    events,
    previous,
    through: options.through ?? (last === undefined ? previous : pointAt(Number(last.position), epoch)),
    skip: new Set(options.skip ?? []),
    worker: 0,
    encoded: () => (encoded ??= (options.encode ?? encodeFake)(events)),
  };
}
