// What is stored of the shapes of captured tables: columns as relation messages describe them, and what the catalog said beside it.

import type { PluginStore } from '../../sdk/index.ts';
import { ShapeHistory, type ShapeVersion } from '../../streaming/shape-history.ts';
import type { PgType } from './pg-type.ts';
import type { RelationColumn } from './pgoutput/relation.ts';

/** Beyond the relation message, as the catalog said when the shape was first met. */
export interface ColumnFact {
  readonly notNull: boolean;
  /** The default as SQL; `null` for none. */
  readonly default: string | null;
}

export interface TableVersion extends ShapeVersion {
  readonly columns: readonly RelationColumn[];
  readonly key: readonly string[];
  /** One for each column. */
  readonly facts: readonly ColumnFact[];
  /** All types of the columns, and what those are made of. */
  readonly types: readonly PgType[];
}

export type SchemaHistory = ShapeHistory<TableVersion>;
export const loadHistory = (store: PluginStore): Promise<SchemaHistory> => ShapeHistory.load<TableVersion>(store);
