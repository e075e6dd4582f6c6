import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChangeBatch, ChangeEvent, Position } from '../../../../src/sdk/index.ts';
import { memoryStore } from '../../../../src/sdk/testing/index.ts';
import { Assembler } from '../../../../src/sources/postgresql/batches.ts';
import type { Relation } from '../../../../src/sources/postgresql/pgoutput/relation.ts';
import { positionAfter } from '../../../../src/sources/postgresql/position.ts';
import { loadHistory } from '../../../../src/sources/postgresql/schema-history.ts';
import { SchemaTracker } from '../../../../src/sources/postgresql/schemas.ts';
import { Catalog } from '../../../../src/sources/postgresql/system-catalog.ts';
import { begin, commit, feed, insert, message, relation, remove, type Sent, truncate, update } from '../../../helpers/pgoutput-stream.ts';

const ORDERS: Relation = {
  oid: 100,
  schema: 'public',
  table: 'orders',
  identity: 'd',
  columns: [
    { name: 'id', typeOid: 25, typmod: -1, isKey: true },
    { name: 'note', typeOid: 25, typmod: -1, isKey: false },
  ],
};
const ITEMS: Relation = { ...ORDERS, oid: 101, table: 'items' };
const OTHER: Relation = { ...ORDERS, oid: 102, table: 'other' };
const START = positionAfter(1n);

interface Reading {
  readonly behind?: Position;
  readonly maxEvents?: number;
  readonly store?: ReturnType<typeof memoryStore>;
}

/** All batches of what the server sends; the source takes one whenever it is full, and the rest at the end. */
async function read(
  sent: readonly Sent[],
  { behind = START, maxEvents = 100, store = memoryStore() }: Reading = {},
): Promise<ChangeBatch[]> {
  const assembler = new Assembler({
    source: 'db',
    database: 'shop',
    behind,
    emitTruncates: true,
    isMessage: (prefix) => prefix !== 'noise',
    observer: null,
  });
  const history = await loadHistory(store);
  const tracker = new SchemaTracker({
    database: 'shop',
    history,
    catalog: new Catalog({ query: async () => ({ rows: [], count: 0 }) }),
    isTable: (_, table) => table !== 'other',
    isColumn: () => true,
  });
  const batches: ChangeBatch[] = [];
  for (const one of sent) {
    await feed(assembler, one, async (r, lsn) => {
      const at = assembler.placeBefore(0, lsn);
      const place = `${at}.s1` as Position;
      const { table, change } = await tracker.meet(r, place);
      assembler.resolve(r, table, change, place);
    });
    while (assembler.isFull(maxEvents, 1 << 20)) batches.push(assembler.take(maxEvents, 1 << 20));
  }
  batches.push(assembler.take(maxEvents, 1 << 20));
  return batches.filter((b) => b.resume !== null || b.events.length > 0);
}

const eventsOf = (batches: readonly ChangeBatch[]): ChangeEvent[] => batches.flatMap((b) => b.events);
const short = (position: Position | null): string =>
  position === null
    ? 'null'
    : position
        .split('/')
        .map((part) => part.replace(/^0+(?=\w)/, ''))
        .join('/');

describe('assembler', () => {
  it('gives each change its place and its marks', async () => {
    const batches = await read([
      relation(ORDERS),
      relation(ITEMS),
      begin(50, 7, 1_500_000n),
      insert(10, 100, ['1', 'a']),
      insert(10, 100, ['2', 'b']),
      insert(20, 101, ['1', 'x']),
      commit(50, 60),
    ]);
    const rows = eventsOf(batches).filter((e) => e.op === 'c');
    expect(rows.map((e) => short(e.position))).toEqual(['32/a/1', '32/a/2', '32/14/1']);
    expect(rows.map((e) => e.transaction)).toMatchObject([
      { id: '7', order: 1, collectionOrder: 1, last: false, commitTsMs: 946_684_801_500 },
      { id: '7', order: 2, collectionOrder: 2, last: false },
      { id: '7', order: 3, collectionOrder: 1, last: true },
    ]);
    expect(rows.map((e) => e.after)).toEqual([
      { id: '1', note: 'a' },
      { id: '2', note: 'b' },
      { id: '1', note: 'x' },
    ]);
    expect(short(batches.at(-1)?.resume ?? null)).toBe('3c/0/0');
  });

  it('tells a new shape before the first row that has it, at a place of its own', async () => {
    const wide: Relation = { ...ORDERS, columns: [...ORDERS.columns, { name: 'extra', typeOid: 25, typmod: -1, isKey: false }] };
    const store = memoryStore();
    const sent = [
      relation(ORDERS),
      begin(50, 7),
      insert(10, 100, ['1', 'a']),
      relation(wide),
      insert(10, 100, ['2', 'b', 'c']),
      commit(50, 60),
    ];
    const first = eventsOf(await read(sent, { store }));
    expect(first.map((e) => `${e.op} ${short(e.position)}`)).toEqual(['s 32/a/0.s1', 'c 32/a/1', 's 32/a/1.s1', 'c 32/a/2']);
    expect(first.map((e) => e.table.version)).toEqual([1, 1, 2, 2]);
    expect(first.map((e) => e.schemaChange?.kind ?? null)).toEqual(['create', null, 'alter', null]);
    const again = eventsOf(await read(sent, { store }));
    expect(again.map((e) => e.position)).toEqual(first.map((e) => e.position));
    for (const [i, event] of first.entries()) {
      const rest = eventsOf(await read(sent, { store, behind: event.position }));
      expect(rest.map((e) => e.position)).toEqual(first.slice(i + 1).map((e) => e.position));
      expect(rest.map((e) => e.table.version)).toEqual(first.slice(i + 1).map((e) => e.table.version));
    }
  });

  it('counts the changes that it leaves out', async () => {
    const [row] = eventsOf(
      await read([
        relation(OTHER),
        relation(ORDERS),
        begin(50, 7),
        insert(10, 102, ['1', 'a']),
        insert(10, 100, ['1', 'a']),
        commit(50, 60),
      ]),
    ).filter((e) => e.op === 'c');
    expect(short(row?.position ?? null)).toBe('32/a/2');
    expect(row?.transaction).toMatchObject({ order: 1, last: true });
  });

  it('counts a change of key twice, as two events where keys cannot change', async () => {
    const rows = eventsOf(
      await read([
        relation(ORDERS),
        begin(50, 7),
        update(10, 100, ['2', 'a'], { kind: 'K', row: ['1', null] }),
        insert(11, 100, ['3', 'b']),
        commit(50, 60),
      ]),
    ).filter((e) => e.op !== 's');
    expect(rows.map((e) => e.transaction?.order)).toEqual([1, 3]);
    expect(rows[0]).toMatchObject({ op: 'u', before: { id: '1' }, oldKey: { id: '1' } });
  });

  it('leaves out what is unchanged and was not sent, unless the old row has it', async () => {
    const full: Relation = { ...ITEMS, identity: 'f', columns: ITEMS.columns.map((c) => ({ ...c, isKey: true })) };
    const rows = eventsOf(
      await read([
        relation(ORDERS),
        relation(full),
        begin(50, 7),
        update(10, 100, ['1', undefined]),
        update(11, 101, ['1', undefined], { kind: 'O', row: ['1', 'old'] }),
        remove(12, 101, 'O', ['1', 'old']),
        commit(50, 60),
      ]),
    ).filter((e) => e.op !== 's');
    expect(rows).toMatchObject([
      { op: 'u', after: { id: '1' }, before: null, incomplete: true },
      { op: 'u', after: { id: '1', note: 'old' }, before: { id: '1', note: 'old' }, incomplete: false },
      { op: 'd', before: { id: '1', note: 'old' }, after: null },
    ]);
    expect(rows[0]?.after).not.toHaveProperty('note');
  });

  it('gives each truncated table an event, and messages their own', async () => {
    const batches = await read([
      relation(ORDERS),
      relation(ITEMS),
      begin(50, 7),
      truncate(10, 100, 101),
      message(15, true, 'outbox', 'in'),
      message(16, true, 'noise', 'in'),
      commit(50, 60),
      message(70, false, 'outbox', 'out'),
    ]);
    const events = eventsOf(batches).filter((e) => e.op !== 's');
    expect(events.map((e) => `${e.op} ${short(e.position)}`)).toEqual(['t 32/a/1', 't 32/a/2', 'm 32/f/1', 'm 46/0/0']);
    expect(events.map((e) => e.transaction?.last)).toEqual([false, false, true, undefined]);
    expect(Buffer.from(events[3]?.message?.content ?? []).toString()).toBe('out');
  });

  it('moves on over transactions that have nothing for it, and over keepalives between transactions only', async () => {
    const batches = await read([relation(OTHER), begin(50, 7), insert(10, 102, ['1', 'a']), commit(50, 60)]);
    expect(batches).toEqual([{ events: [], source: 'db', partition: 'main', resume: positionAfter(60n), bytes: 0 }]);
    const assembler = new Assembler({
      source: 'db',
      database: 'shop',
      behind: START,
      emitTruncates: true,
      isMessage: () => true,
      observer: null,
    });
    assembler.begin(0, 50, 0n, 7);
    assembler.keepalive(55n);
    expect(assembler.take(10, 10).resume).toBeNull();
    assembler.commit(0, 50n, 60n);
    expect(assembler.take(10, 10).resume).toBe(positionAfter(60n));
    assembler.keepalive(90n);
    expect(assembler.take(10, 10).resume).toBe(positionAfter(90n));
  });

  it('resumes behind any batch without skipping or repeating, whatever the size of the batches', async () => {
    const operations = fc.array(fc.array(fc.tuple(fc.constantFrom(100, 101, 102), fc.boolean()), { maxLength: 5 }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(operations, fc.integer({ min: 1, max: 4 }), async (transactions, maxEvents) => {
        const sent: Sent[] = [relation(ORDERS), relation(ITEMS), relation(OTHER)];
        let lsn = 10;
        for (const changes of transactions) {
          // Changes lie before their commit, and several may share one LSN.
          const end = lsn + 10 * changes.length + 10;
          sent.push(begin(end, end));
          for (const [oid, isSame] of changes) {
            lsn += isSame ? 0 : 10;
            sent.push(insert(lsn, oid, [String(lsn), 'x']));
          }
          sent.push(commit(end, end + 5));
          lsn = end + 5;
        }
        const store = memoryStore();
        const all = eventsOf(await read(sent, { store })).map((e) => e.position);
        const batches = await read(sent, { store, maxEvents });
        expect(eventsOf(batches).map((e) => e.position)).toEqual(all);
        expect([...all].sort()).toEqual(all);
        for (const [n, batch] of batches.entries()) {
          expect(batch.events.length).toBeLessThanOrEqual(maxEvents);
          const seen = eventsOf(batches.slice(0, n + 1)).length;
          const rest = eventsOf(await read(sent, { store, behind: batch.resume ?? START })).map((e) => e.position);
          expect(rest).toEqual(all.slice(seen));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('stops at a change of a relation that was not described', async () => {
    await expect(read([begin(50, 7), insert(10, 100, ['1', 'a'])])).rejects.toThrow('relation 100');
  });
});
