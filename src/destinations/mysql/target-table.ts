// A target table as the writer sees it, filled from the catalog (catalog.ts). Pure.

import type { TargetColumn as AnyColumn, TargetTable as AnyTable, FoundTable } from '../../relational/table.ts';

export type ColumnKind =
  | 'text'
  | 'int'
  | 'decimal'
  | 'float'
  | 'double'
  | 'bytes'
  | 'bits'
  | 'json'
  | 'date'
  | 'time'
  | 'datetime'
  | 'timestamp'
  | 'year'
  | 'enum'
  | 'set'
  | 'other';

export interface TargetColumn extends AnyColumn {
  /** The type as the server spells it: `decimal(12,2) unsigned`. */
  readonly type: string;
  /** The type without anything: `decimal`. */
  readonly base: string;
  readonly kind: ColumnKind;
  readonly unsigned: boolean;
  /** Characters of texts, bytes of `binary` and blobs, bits. */
  readonly length: number | null;
  /** Bytes that fit, of texts whose limit is in bytes. */
  readonly octets: number | null;
  /** Digits of a decimal in all. */
  readonly precision: number | null;
  /** Fractional digits: of a decimal, of times. */
  readonly fraction: number;
  /** Texts of an enum or a set. */
  readonly values: readonly string[];
  /** Equality looks at neither case nor accents. */
  readonly caseless: boolean;
  /** Equality does not look at blanks at the end. */
  readonly padded: boolean;
  /** JSON that the server keeps as the text it got (MariaDB). */
  readonly keepsJson: boolean;
  /** Part of an index: it cannot become a type without a length. */
  readonly indexed: boolean;
  readonly autoIncrement: boolean;
  /** ON UPDATE CURRENT_TIMESTAMP: the server changes it with any other column, unless it is set. */
  readonly selfUpdating: boolean;
  /** What stands behind the type in the table's definition: `NOT NULL DEFAULT '0'`. */
  readonly definition: string;
}

export interface CatalogTable extends FoundTable<TargetColumn> {
  readonly engine: string;
  /** Column sets that are unique as a whole. Names sorted. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** There is a unique index over parts of columns or an expression. */
  readonly hasOtherUnique: boolean;
}

export interface TargetTable extends AnyTable<TargetColumn> {
  /** The key is the only thing that is unique: only by it a row can meet another one. */
  readonly onlyKeyIsUnique: boolean;
}
