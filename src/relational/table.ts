// A target table as far as all SQL destinations see it the same way. What else a database knows of its columns, each adds. Pure.

export interface TableName {
  /** The schema, or the database where there are no schemas. */
  readonly schema: string;
  readonly name: string;
}

export interface TargetColumn {
  readonly name: string;
  /** Computed by the server: never written. */
  readonly generated: boolean;
}

/** A table as it was read from the catalog. */
export interface FoundTable<C extends TargetColumn> {
  readonly columns: readonly C[];
}

/** A table as the rows of one source table are written to it. */
export interface TargetTable<C extends TargetColumn = TargetColumn> extends TableName {
  /** Schema and name: the same for all keys. */
  readonly place: string;
  readonly columns: readonly C[];
  /** Names of the columns by which rows are found; empty when the source table has no key. */
  readonly key: readonly string[];
  readonly byName: ReadonlyMap<string, C>;
}

/** `public.orders`, for people. */
export function describeTarget(table: TableName): string {
  return `${table.schema}.${table.name}`;
}

/** The key's columns. */
export function keyColumns<C extends TargetColumn>(table: TargetTable<C>): C[] {
  return table.key.map((name) => table.byName.get(name) as C);
}
