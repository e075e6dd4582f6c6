// Columns of targets and sources for tests of what one holds of the other.

import type { TargetColumn, TargetTable } from '../../../../src/destinations/mysql/target-table.ts';
import type { Column } from '../../../../src/sdk/index.ts';

export const there = (type: string, kind: TargetColumn['kind'], more: Partial<TargetColumn> = {}): TargetColumn =>
  ({
    name: 'c',
    type,
    base: /^[a-z]+/.exec(type)?.[0] ?? type,
    kind,
    unsigned: type.includes('unsigned'),
    length: null,
    octets: null,
    precision: null,
    fraction: 0,
    values: [],
    caseless: false,
    padded: false,
    keepsJson: false,
    indexed: false,
    generated: false,
    autoIncrement: false,
    selfUpdating: false,
    definition: '',
    ...more,
  }) as TargetColumn;

export const source = (type: Column['type'], more: Partial<Column> = {}): Column => ({
  name: 'c',
  type,
  nativeType: type,
  nullable: true,
  ...more,
});

export const table = (columns: readonly TargetColumn[], key: readonly string[]): TargetTable =>
  ({ schema: 'shop', name: 'items', columns, key, onlyKeyIsUnique: true }) as unknown as TargetTable;
