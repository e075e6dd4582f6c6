// The transformer itself: tables and rows without some of their columns.

import type { ChangeEvent, Row, TableSchema } from 'cdc-run/sdk';
import { tableMatcher } from '../../shared/table-pattern.ts';
import { type TablePlan, TableStep, tableError } from '../../shared/table-step.ts';
import type { DropConfig } from './config.ts';

/** Is a column left out? */
export type IsDropped = (name: string) => boolean;

export function isDropped({ columns, keep }: Pick<DropConfig, 'columns' | 'keep'>): IsDropped {
  const names = new Set(columns ?? keep);
  return columns === undefined ? (name) => !names.has(name) : (name) => names.has(name);
}

/** `byKeep`: what is not named goes, but never the key. */
export function dropPlan(table: TableSchema, dropped: IsDropped, byKeep: boolean): TablePlan | null {
  const keyColumns = new Set(table.key),
    goes: IsDropped = byKeep ? (name) => dropped(name) && !keyColumns.has(name) : dropped;
  for (const name of table.key) if (goes(name)) throw keyError(table, name);
  const row = (given: Row): Row =>
    Object.keys(given).some(goes) ? Object.fromEntries(Object.entries(given).filter(([name]) => !goes(name))) : given;
  // Records of brokers bring a key that no schema announced.
  const key = (given: Row): Row => {
    const gone = byKeep ? undefined : Object.keys(given).find(goes);
    if (gone !== undefined) throw keyError(table, gone);
    return given;
  };
  if (table.columns.length === 0) return { table, row, key };
  const columns = table.columns.filter((c) => !goes(c.name));
  return columns.length === table.columns.length ? null : { table: { ...table, columns }, row, key };
}

const keyError = (table: TableSchema, name: string) =>
  tableError(
    table,
    `without the column "${name}", which is part of the key, different rows would become one`,
    'Keep the columns of the key.',
  );

export class Drop extends TableStep {
  constructor(config: DropConfig) {
    const dropped = isDropped(config),
      byKeep = config.columns === undefined;
    super(config.tables, (table) => dropPlan(table, dropped, byKeep));
  }
}

/** A step whose columns are nobody's business. */
export class SensitiveDrop extends Drop {
  readonly #isAbout: (table: TableSchema) => boolean;
  readonly #isDropped: IsDropped;
  readonly #named: readonly string[];

  constructor(config: DropConfig) {
    super(config);
    this.#isAbout = tableMatcher(config.tables);
    this.#isDropped = isDropped(config);
    this.#named = config.columns ?? [];
  }

  sensitive({ table, before, after, key }: ChangeEvent): readonly string[] {
    if (!this.#isAbout(table)) return [];
    const keyColumns = new Set([...table.key, ...Object.keys(key ?? {})]),
      columns = [before, after].flatMap((row) => Object.keys(row ?? {}));
    // Of a record that nobody decoded, whatever it may hold.
    if (columns.length === 0) return this.#named;
    return [...new Set(columns)].filter((name) => this.#isDropped(name) && !keyColumns.has(name));
  }
}
