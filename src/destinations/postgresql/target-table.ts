// A target table as the writer sees it: columns with the types that values are cast to, and what may serve as key. Filled
// from the catalog (pg-catalog.ts); pure here.

import type { TargetTable as AnyTable } from '../../relational/table.ts';
import type { ColumnKind } from './types.ts';

export interface TargetColumn {
  readonly name: string;
  /** The type as SQL, without length or precision: what texts are cast to. */
  readonly type: string;
  /** How values are spelled for it. */
  readonly kind: ColumnKind;
  /** Arrays of this type read like the texts that we send: rows go in bulk without a cast of their own. */
  readonly bulk: boolean;
  /** Characters or bits, where the type has a length. */
  readonly length: number | null;
  /** Digits of a numeric in all; `null` = as many as there are. */
  readonly precision: number | null;
  /** Fractional digits that fit: of a numeric with a scale, of times. `null` = as many as there are. */
  readonly fraction: number | null;
  /** A type of the user's own over another one, with rules that we do not know. */
  readonly domain: boolean;
  /** Case does not matter for equality (citext). */
  readonly caseless: boolean;
  /** Blanks at the end do not matter for equality (char). */
  readonly padded: boolean;
  /** Element of an array. */
  readonly element: TargetColumn | null;
  /** Computed by the server: never written. */
  readonly generated: boolean;
  readonly identity: 'none' | 'default' | 'always';
}

export interface TargetTable extends AnyTable<TargetColumn> {
  /** TRUNCATE is permitted and nothing refers to the table; else rows are deleted. */
  readonly truncatable: boolean;
}
