// The cases of `describeDestination` about data: what is stored, in which order, what is refused and how.

import { expect } from 'vitest';
import { CdcError, type ChangeEvent, formatTableId, type Finding, sameValue, type TableSchema, type WriteFailure, type WriteResult } from '../index.ts';
import { Events, item, LANE, laneBatch } from './batches.ts';
import type { DestinationHarness, DestinationTest, RowOp } from './destination-harness.ts';
import { within } from './reading.ts';
import { ITEMS, LINES, tableNamed, TYPE_SAMPLES } from './sample-tables.ts';

export interface DestinationCase {
  readonly title: string;
  /** Why it cannot run; `null` when it can. */
  readonly lacks?: (t: DestinationTest) => string | null;
  readonly run: (t: DestinationTest) => Promise<void>;
}

export const has = (name: keyof DestinationHarness) => (t: DestinationTest): string | null => (t.harness[name] === undefined ? `the harness has no "${name}"` : null);
export const does = (...ops: RowOp[]) => (t: DestinationTest): string | null => {
  const missing = ops.filter((op) => !t.harness.ops.includes(op));
  return missing.length === 0 ? null : `this destination has no ${missing.join(', ')}`;
};
export const holdsPoint = (t: DestinationTest): string | null => (t.capabilities.holdsPoint ? null : 'capabilities: holds no point');
export const all = (...needs: ((t: DestinationTest) => string | null)[]) => (t: DestinationTest): string | null => needs.map((n) => n(t)).find((why) => why !== null) ?? null;
const ofRows = has('rows');

/** The failures that a result names; fails when it names none. */
export function failuresOf(result: WriteResult): readonly WriteFailure[] {
  if (result.kind === 'stored') throw new Error('the batch was stored although an event in it can never be');
  for (const { error } of result.failed) expect(error).toMatchObject({ name: 'CdcError', retriable: false });
  return result.failed;
}

/** Brings in what a refusal left: `skip` as the engine would set it. */
export async function writeRest(t: DestinationTest, destination: Awaited<ReturnType<DestinationTest['open']>>, events: readonly ChangeEvent[]): Promise<number[]> {
  const skip = new Set<number>(), failed: number[] = [];
  for (let tries = 0; tries <= events.length; tries++) {
    const result = await t.write(destination, events, { skip });
    if (result.kind === 'stored') return failed;
    for (const { index } of failuresOf(result)) { skip.add(index); failed.push(index); }
    if (result.kind === 'partial') for (const index of result.written) skip.add(index);
    if (skip.size === events.length && !t.capabilities.holdsPoint) return failed;
  }
  throw new Error('the batch is still not stored after every event was tried');
}

async function findings(t: DestinationTest, config: unknown): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of (await t.create(config)).check()) found.push(finding);
  return found;
}

function checkCase(what: 'unreachable' | 'forbidden' | 'misconfigured', code: string): DestinationCase {
  return {
    title: `check says ${code} with a fix when the system is ${what}`,
    lacks: has(what),
    async run(t) {
      const errors = (await findings(t, t.harness[what])).filter((f) => f.level === 'error');
      expect(errors.map((f) => f.code)).toContain(code);
      for (const f of errors) expect(f.fix, f.message).toBeTruthy();
    },
  };
}

/** Writes batch after batch, then compares: rows, or the records of all events. */
function storingCase(title: string, ops: readonly RowOp[], batches: (e: Events) => ChangeEvent[][], rows: ReturnType<typeof item>[]): DestinationCase {
  return {
    title,
    lacks: does(...ops),
    async run(t) {
      const destination = await t.open(), written = batches(new Events());
      for (const events of written) expect(await t.write(destination, events)).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual(t.expected(rows, written.flat()));
    },
  };
}

export const DATA_CASES: readonly DestinationCase[] = [
  {
    title: 'check finds no error in a system that can be written',
    async run(t) {
      await t.harness.prepare?.(ITEMS);
      const found = await findings(t, t.harness.config);
      expect(found.filter((f) => f.level === 'error')).toEqual([]);
      expect(found.length).toBeGreaterThan(0);
    },
  },
  checkCase('unreachable', 'DESTINATION_UNREACHABLE'),
  checkCase('forbidden', 'DESTINATION_FORBIDDEN'),
  checkCase('misconfigured', 'DESTINATION_MISCONFIGURED'),
  {
    title: 'is empty at first, or says that it cannot tell',
    async run(t) {
      await t.harness.prepare?.(ITEMS);
      const committed = await (await t.create()).committed(LANE);
      expect(committed.kind).toBe(t.capabilities.holdsPoint ? 'empty' : 'untracked');
    },
  },
  storingCase('stores inserts and rows of a snapshot', ['insert'],
    (e) => [[e.create(item(1, 'one')), e.make({ op: 'r', after: item(2, 'two', 'a note'), transaction: null })]], [item(1, 'one'), item(2, 'two', 'a note')]),
  storingCase('stores updates and deletes', ['insert', 'update', 'delete'],
    (e) => [[e.create(item(1, 'one')), e.create(item(2, 'two')), e.create(item(3, 'three'))], [e.update(item(2, 'two'), item(2, 'zwei', 'n')), e.remove(item(3, 'three'))]],
    [item(1, 'one'), item(2, 'zwei', 'n')]),
  storingCase('updates without an image of the row before', ['insert', 'update'],
    (e) => [[e.create(item(1, 'one'))], [e.update(null, item(1, 'eins'))]], [item(1, 'eins')]),
  storingCase('keeps the order of one key within a batch', ['insert', 'update', 'delete'],
    (e) => [[e.create(item(1, 'a')), e.update(item(1, 'a'), item(1, 'b')), e.remove(item(1, 'b')), e.create(item(1, 'c')), e.create(item(2, 'x')), e.remove(item(2, 'x'))]], [item(1, 'c')]),
  storingCase('keeps the order of one key across batches', ['insert', 'update', 'delete'],
    (e) => [[e.create(item(1, 'a'))], [e.remove(item(1, 'a'))], [e.create(item(1, 'b'))], [e.update(item(1, 'b'), item(1, 'c'))]], [item(1, 'c')]),
  storingCase('empties the table at a truncate', ['insert', 'truncate'],
    (e) => [[e.create(item(1, 'a')), e.create(item(2, 'b')), e.truncate(), e.create(item(3, 'c'))]], [item(3, 'c')]),
  storingCase('moves a row whose key changes', ['insert', 'update', 'move'],
    (e) => [[e.create(item(1, 'a')), e.create(item(2, 'b'))], [e.update(item(1, 'a'), item(5, 'a')), e.create(item(1, 'new'))]], [item(1, 'new'), item(2, 'b'), item(5, 'a')]),
  storingCase('updates only the columns that an incomplete event has', ['insert', 'partial'],
    (e) => [[e.create(item(1, 'a', 'kept'))], [e.partial(null, { id: 1, name: 'b' })]], [item(1, 'b', 'kept')]),
  storingCase('takes the last present value of each column when a key changes often in one batch', ['insert', 'partial'],
    (e) => [[e.create(item(1, 'a', 'first')), e.partial(null, { id: 1, name: 'b' }), e.partial(null, { id: 1, note: 'second' })]], [item(1, 'b', 'second')]),
  storingCase('takes an event of op s or m without harm', ['insert'],
    (e) => [[e.make({ op: 's', schemaChange: { kind: 'alter', previous: null, ddl: null } }), e.create(item(1, 'a')),
      e.make({ op: 'm', message: { prefix: 'p', content: new Uint8Array([1]), transactional: false } })]], [item(1, 'a')]),
  {
    title: 'refuses an incomplete event for a row that is not there',
    lacks: all(ofRows, does('partial')),
    async run(t) {
      const destination = await t.open(), e = new Events(), events = [e.create(item(1, 'a')), e.partial(null, { id: 9, name: 'x' }), e.create(item(2, 'b'))];
      const [failure] = failuresOf(await t.write(destination, events));
      expect(failure).toMatchObject({ index: 1, error: { code: 'DESTINATION_ROW_MISSING' } });
    },
  },
  {
    title: 'skips an incomplete event for a row that a running snapshot will bring',
    lacks: all(ofRows, does('partial')),
    async run(t) {
      const destination = await t.open(), e = new Events(), events = [e.partial(null, { id: 9, name: 'x' })];
      const { through } = laneBatch(events, { epoch: t.point.epoch });
      const running = { source: 'origin', run: 'r1', table: formatTableId(ITEMS.id), chunk: 1, lastKey: '5', state: 'running', rows: 5 } as const;
      expect(await t.write(destination, events, { through: { ...through, snapshots: [running] } })).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual([]);
    },
  },
  {
    title: 'refuses an incomplete change of key, unless its point makes a repeat impossible',
    lacks: all(ofRows, does('partial', 'move')),
    async run(t) {
      const destination = await t.open(), e = new Events();
      await t.write(destination, [e.create(item(1, 'a', 'kept'))]);
      const result = await t.write(destination, [e.partial({ id: 1 }, { id: 2, name: 'b' })]);
      if (t.capabilities.holdsPoint) expect(await t.stored()).toEqual([item(2, 'b', 'kept')]);
      else expect(failuresOf(result)).toHaveLength(1);
    },
  },
  {
    title: 'stores events of a table without a key',
    lacks: (t) => (t.capabilities.keyless ? null : 'capabilities: needs a key'),
    async run(t) {
      const destination = await t.open(1, LINES), e = new Events(LINES), events = [e.create(item(1, 'a')), e.create(item(1, 'a'))];
      expect(await t.write(destination, events)).toEqual({ kind: 'stored' });
      expect(await t.stored(LINES)).toEqual(t.expected([item(1, 'a'), item(1, 'a')], events));
    },
  },
  {
    title: 'keeps every value of every type',
    lacks: ofRows,
    async run(t) {
      const samples = TYPE_SAMPLES.filter(({ column }) => t.harness.types?.includes(column.type) ?? true);
      const table: TableSchema = { ...tableNamed('types'), columns: [...ITEMS.columns.slice(0, 1), ...samples.map((s) => s.column)] };
      const destination = await t.open(1, table), e = new Events(table), count = Math.max(...samples.map((s) => s.values.length));
      const rows = Array.from({ length: count }, (_, i) => ({ id: i + 1, ...Object.fromEntries(samples.map((s) => [s.column.name, s.values[i] ?? null])) }));
      expect(await t.write(destination, rows.map((row) => e.create(row)))).toEqual({ kind: 'stored' });
      const back = [...((await t.harness.rows?.(table)) ?? [])].sort((a, b) => Number(a['id']) - Number(b['id']));
      expect(back).toHaveLength(count);
      for (const { column, values } of samples) {
        for (const [i, value] of values.entries()) {
          const wanted = t.harness.expected?.(column, value) ?? value, got = back[i]?.[column.name];
          expect(sameValue(got, wanted), `${column.name}: wrote ${String(value)}, read ${String(got)} (${typeof got})`).toBe(true);
        }
      }
    },
  },
  {
    title: 'names the events that it refuses, and stores the others when they are skipped',
    lacks: has('poison'),
    async run(t) {
      const destination = await t.open(), e = new Events(), good = (n: number): ChangeEvent => e.create(item(n, `good ${n}`));
      const events = [good(1), good(2), t.harness.poison?.(e) as ChangeEvent, good(4)];
      const first = await t.write(destination, events);
      expect(failuresOf(first).map((f) => f.index)).toEqual([2]);
      if (first.kind === 'refused') expect(await t.stored()).toEqual([]);
      const skip = new Set([2, ...(first.kind === 'partial' ? first.written : [])]);
      if (skip.size < events.length || t.capabilities.holdsPoint) expect(await t.write(destination, events, { skip })).toEqual({ kind: 'stored' });
      const kept = events.filter((_, i) => i !== 2);
      expect(await t.stored()).toEqual(t.expected([item(1, 'good 1'), item(2, 'good 2'), item(4, 'good 4')], kept));
    },
  },
  {
    title: 'names an event that is too large, and stores the others when it is skipped',
    lacks: has('oversize'),
    async run(t) {
      const destination = await t.open(), e = new Events(), events = [e.create(item(1, 'small')), t.harness.oversize?.(e) as ChangeEvent, e.create(item(3, 'small too'))];
      expect(await writeRest(t, destination, events)).toEqual([1]);
      expect(await t.stored()).toEqual(t.expected([item(1, 'small'), item(3, 'small too')], [events[0] as ChangeEvent, events[2] as ChangeEvent]));
    },
  },
  {
    title: 'has the same state after the same batch twice',
    lacks: (t) => (!t.capabilities.idempotent ? 'capabilities: not idempotent' : t.capabilities.holdsPoint ? 'its point makes a repeat impossible' : null),
    async run(t) {
      const destination = await t.open(), e = new Events();
      const events = [e.create(item(1, 'a')), ...(does('update', 'delete')(t) === null ? [e.create(item(2, 'b')), e.update(item(1, 'a'), item(1, 'c')), e.remove(item(2, 'b'))] : [])];
      await t.write(destination, events);
      const once = await t.stored();
      await t.write(destination, events);
      expect(await t.stored()).toEqual(once);
    },
  },
  {
    title: 'writes nothing for an empty batch',
    async run(t) {
      const destination = await t.open();
      expect(await t.write(destination, [])).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual([]);
    },
  },
  {
    title: 'calls an outage retriable, and stores the same batch afterwards',
    lacks: has('outage'),
    async run(t) {
      const destination = await t.open(), e = new Events(), first = e.create(item(1, 'a')), second = [e.create(item(2, 'b'))];
      await t.write(destination, [first]);
      const repair = await (t.harness.outage as NonNullable<DestinationHarness['outage']>)();
      const failure = await t.write(destination, second).then(() => null, (error: unknown) => error);
      await repair();
      expect(failure).toBeInstanceOf(CdcError);
      expect(failure).toMatchObject({ retriable: true });
      expect(await t.write(destination, second)).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual(t.expected([item(1, 'a'), item(2, 'b')], [first, ...second]));
    },
  },
  {
    title: 'gives up within a second when it is stopped, and the batch can be written again',
    async run(t) {
      const destination = await t.open(), events = [new Events().create(item(1, 'a'))];
      const batch = laneBatch(events, { previous: t.point, encode: (e) => t.encode(e), epoch: t.point.epoch });
      const outcome = await within(destination.write(batch, AbortSignal.abort()).then((r) => r.kind, () => 'failed'), 'write() ignored its signal', 1000);
      if (outcome !== 'stored') expect(await t.write(destination, events)).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual(t.expected([item(1, 'a')], events));
    },
  },
  {
    title: 'has stored everything once it is closed, and closes twice',
    async run(t) {
      const destination = await t.open(), e = new Events(), events = [e.create(item(1, 'a')), e.create(item(2, 'b'))];
      await t.write(destination, events);
      await destination.close();
      await destination.close();
      expect(await t.stored()).toEqual(t.expected([item(1, 'a'), item(2, 'b')], events));
    },
  },
];
