// The tables of messages: one object per table while nothing changes, and no more of them than fit.

import { describe, expect, it } from 'vitest';
import { MessageTables, MOST_TABLES } from '../../../src/formats/message-tables.ts';
import type { Column, TableSchema } from '../../../src/sdk/index.ts';

const COLUMNS: readonly Column[] = [{ name: 'id', type: 'int64', nativeType: 'long', nullable: false }];
const topic = (n: number): string => `sensors/${n}`;

/** The tables of topics `from` to `to`, each seen once. */
function see(tables: MessageTables, from: number, to: number): TableSchema[] {
  return Array.from({ length: to - from + 1 }, (_, i) => tables.of(topic(from + i), COLUMNS, ['id']));
}

describe('tables of messages', () => {
  it('are the same objects while there are no more of them than are kept', () => {
    const tables = new MessageTables({});
    expect(see(tables, 1, MOST_TABLES).every((table, i) => table === tables.of(topic(i + 1), [...COLUMNS], ['id']))).toBe(true);
  });

  it('let go of the one used longest ago, which comes back as it was', () => {
    const tables = new MessageTables({}),
      [first, second] = see(tables, 1, MOST_TABLES);
    tables.of(topic(1), COLUMNS, ['id']);
    see(tables, MOST_TABLES + 1, MOST_TABLES + 1);
    expect(tables.of(topic(1), COLUMNS, ['id'])).toBe(first);
    const again = tables.of(topic(2), COLUMNS, ['id']);
    expect(again).not.toBe(second);
    expect(again).toEqual(second);
  });

  it('are one for all topics where it is named', () => {
    const tables = new MessageTables({ table: 'readings' });
    expect(new Set(see(tables, 1, 3)).size).toBe(1);
    expect(tables.known(topic(9))).toMatchObject({ id: { table: 'readings' }, columns: COLUMNS, version: 1 });
  });

  it('have a new version when columns or key change', () => {
    const tables = new MessageTables({}),
      wider = [...COLUMNS, { name: 'note', type: 'string', nativeType: 'string', nullable: true } as const];
    const versions = [tables.of('t', COLUMNS, ['id']), tables.of('t', wider, ['id']), tables.of('t', wider, [])].map((t) => t.version);
    expect(versions).toEqual([1, 2, 3]);
  });
});
