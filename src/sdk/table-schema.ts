// What a table looks like at one moment: columns with logical and native types, key columns, a version that grows.

import type { Value } from './value.ts';

/** Where a table lives. Parts that a system does not have are `null`. */
export interface TableId {
  readonly database: string | null;
  readonly schema: string | null;
  readonly table: string;
}

/** `public.orders`; without a schema just `orders`. The database is left out: one source reads one. */
export function formatTableId(id: TableId): string {
  return id.schema === null ? id.table : `${id.schema}.${id.table}`;
}

/** The logical types all adapters map from and to. `any`: each row may hold another type (SQLite without affinity, files). */
export const COLUMN_TYPES = [
  'boolean',
  'int16',
  'int32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'decimal',
  'string',
  'bytes',
  'date',
  'time',
  'timetz',
  'timestamp',
  'timestamptz',
  'interval',
  'uuid',
  'json',
  'xml',
  'enum',
  'bits',
  'array',
  'geometry',
  'any',
] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** The type as the source system spells it, e.g. `numeric(12,2)`. */
  readonly nativeType: string;
  readonly nullable: boolean;
  /** Characters or bits, where the type has a length. */
  readonly length?: number;
  /** Decimal digits in all; for temporal types the fractional digits. */
  readonly precision?: number;
  /** Decimal digits after the point. */
  readonly scale?: number;
  /** Element type of an array. */
  readonly element?: ColumnType;
  /** Allowed texts of an enum. */
  readonly values?: readonly string[];
  /** Literal default, when the source can tell; `undefined` = none known. */
  readonly default?: Value;
  /** The default as the source system spells it, a literal or not: `nextval('orders_id_seq'::regclass)`. */
  readonly defaultSql?: string;
  /** The domain of a column that has one; its other members say what that is made of. */
  readonly domain?: string;
  /** The word for the type in the statement that made the column, where the source's catalog has another: `boolean`, a `tinyint(1)`. */
  readonly declaredType?: string;
  /** What its owner says of it, where the source can tell. */
  readonly comment?: string;
}

export interface TableSchema {
  readonly id: TableId;
  /** What the source calls the table, where a transformer has given it another name: see `renamedTable`. */
  readonly origin?: TableId;
  /** In the source's column order. Empty when the source has no schema (NDJSON files, brokers). */
  readonly columns: readonly Column[];
  /** Names of the key columns in key order; empty when the table has no usable key. */
  readonly key: readonly string[];
  /** Starts at 1 and grows by one at each change that the source sees. */
  readonly version: number;
}

/** The table under another name. Progress of snapshots goes on to name it as its source does. */
export function renamedTable(table: TableSchema, id: TableId): TableSchema {
  return { ...table, id, origin: table.origin ?? table.id };
}
