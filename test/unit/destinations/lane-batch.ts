// Batches for tests of destinations: events of one table, encoded as bare rows in JSON.

import {
  ChangeEvent,
  type ChangeEventInit,
  type EncodedBatch,
  type LaneBatch,
  type Position,
  positionOfNumber,
  type ResumePoint,
  type TableSchema,
} from '../../../src/sdk/index.ts';

export const ordersTable: TableSchema = {
  id: { database: null, schema: 'shop', table: 'orders' },
  key: ['id'],
  version: 1,
  columns: [
    { name: 'id', type: 'int32', nativeType: 'int', nullable: false },
    { name: 'note', type: 'string', nativeType: 'text', nullable: true },
  ],
};

/** A create of row `n`, changed as told. */
export function rowEvent(n: number, changes: Partial<ChangeEventInit> = {}): ChangeEvent {
  return new ChangeEvent({
    op: 'c',
    table: ordersTable,
    source: 'src',
    partition: '0',
    position: positionOfNumber(n),
    sourceTsMs: 1_700_000_000_000 + n,
    after: { id: n, note: `row ${n}` },
    ...changes,
  });
}

export function point(n: number, epoch = 1): ResumePoint {
  return { epoch, log: { id: 'log', seq: n }, sources: { src: { 0: positionOfNumber(n) } }, snapshots: [] };
}

/** The same point with so many bytes more, in the position of another partition. */
export function withRoom(plain: ResumePoint, bytes: number): ResumePoint {
  return { ...plain, sources: { ...plain.sources, src: { ...plain.sources['src'], other: 'x'.repeat(bytes) as Position } } };
}

/** One record per event: `{op, id}` as JSON; a delete has a second record without a value (a tombstone). */
export function encodeEvents(events: readonly ChangeEvent[]): EncodedBatch {
  const event: number[] = [],
    key: (Uint8Array | null)[] = [],
    value: (Uint8Array | null)[] = [];
  events.forEach((e, i) => {
    const bytes = Buffer.from(JSON.stringify({ op: e.op, ...(e.after ?? e.before) }));
    for (const v of e.op === 'd' ? [bytes, null] : [bytes]) {
      event.push(i);
      key.push(Buffer.from(JSON.stringify(e.key)));
      value.push(v);
    }
  });
  return {
    event: Uint32Array.from(event),
    topic: event.map(() => 'shop.orders'),
    key,
    value,
    headers: event.map(() => null),
    timestampMs: Float64Array.from(event.map(() => 0)),
  };
}

export function laneBatch(
  events: readonly ChangeEvent[],
  options: { readonly skip?: readonly number[]; readonly through?: ResumePoint; readonly previous?: ResumePoint; readonly worker?: number },
): LaneBatch {
  return {
    events,
    skip: new Set(options.skip),
    encoded: () => encodeEvents(events),
    through: options.through ?? point(1),
    previous: options.previous ?? point(0),
    worker: options.worker ?? 0,
  };
}
