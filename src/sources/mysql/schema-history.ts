// What is stored of the shapes of captured tables: columns as the log describes them, and what the catalog said beside it.

import type { PluginStore } from '../../sdk/index.ts';
import { ShapeHistory, type ShapeVersion } from '../../streaming/shape-history.ts';
import type { MapColumn } from './binlog/table-map.ts';
import { sortable } from './position.ts';
import type { ColumnFacts } from './types.ts';

export interface TableVersion extends ShapeVersion {
  readonly columns: readonly MapColumn[];
  readonly key: readonly string[];
  /** One for each column, from the catalog; `null`: it says nothing that fits. */
  readonly facts: readonly (ColumnFacts | null)[];
}

export type SchemaHistory = ShapeHistory<TableVersion>;
export const loadHistory = (store: PluginStore): Promise<SchemaHistory> => ShapeHistory.load<TableVersion>(store, sortable);
