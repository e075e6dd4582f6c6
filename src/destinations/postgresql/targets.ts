// Which target belongs to which source table, remembered while the pipeline runs, and made ready before rows are written.

import { CdcError, type ChangeEvent, formatTableId, type Logger, type TableSchema } from '../../sdk/index.ts';
import type { Session } from './connection.ts';
import { addColumns, type CatalogTable, createTable, readTable, targetFor, wantedColumns } from './pg-catalog.ts';
import { POINTS_TABLE } from './points.ts';
import { remembered } from './remembered.ts';
import { isConstant, targetName } from './target-name.ts';
import { describeTarget, type TargetTable } from './target-table.ts';

export interface TargetOptions {
  readonly schema: string;
  readonly template: string;
  readonly pointsSchema: string;
  readonly create: boolean;
}

/** A target as it was last read, and the source tables that write to it. */
interface Known {
  readonly name: { readonly schema: string; readonly name: string };
  table: CatalogTable;
  readonly tables: Map<string, TargetTable>;
}

export class Targets {
  readonly #options: TargetOptions;
  readonly #logger: Logger;
  #known = new Map<string, Known>();
  /** Target name → the one source table that it belongs to. */
  readonly #owners = new Map<string, string>();

  constructor(options: TargetOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  /** Nothing is remembered: the next write reads the catalog. */
  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  /** After an error that a changed table may explain. */
  forget(): void {
    this.#known = new Map();
  }

  /** The targets of all events that need one, existing and with the columns that the rows have. In the order of `events`. */
  async prepare(session: Session, events: readonly ChangeEvent[]): Promise<(TargetTable | null)[]> {
    const needs = new Map<TableSchema, { readonly source: string; readonly inRows: Set<string> }>();
    for (const event of events) if (needsTarget(event)) noteColumns(needs, event);
    const ready = new Map<TableSchema, Known>();
    for (const [schema, { source, inRows }] of needs) ready.set(schema, await this.#makeReady(session, source, schema, inRows));
    // Only now: a table that was completed for one schema is read anew for all.
    const targets = new Map([...ready].map(([schema, known]) => [schema, withKeyOf(schema, known)]));
    return events.map((event) => targets.get(event.table) ?? null);
  }

  async #makeReady(session: Session, source: string, schema: TableSchema, inRows: ReadonlySet<string>): Promise<Known> {
    const name = { schema: this.#options.schema, name: targetName(this.#options.template, source, schema) };
    this.#own(name, source, schema);
    const known = this.#known.get(name.name) ?? (await this.#load(session, name, schema, inRows));
    this.#known.set(name.name, known);
    if (this.#options.create) await this.#complete(session, known, schema, inRows);
    return known;
  }

  /** Two source tables that fall on one target by accident would overwrite each other's rows. */
  #own(name: Known['name'], source: string, schema: TableSchema): void {
    if (name.name === POINTS_TABLE && name.schema === this.#options.pointsSchema) {
      throw new CdcError('DESTINATION_MISCONFIGURED', `The target name ${describeTarget(name)} is taken by the pipeline's own table.`, {
        fix: 'Change `table`, or set `points_schema`.',
      });
    }
    if (isConstant(this.#options.template)) return;
    const owner = `${formatTableId(schema.id)} of source "${source}"`,
      other = this.#owners.get(name.name);
    if (other === undefined) this.#owners.set(name.name, owner);
    else if (other !== owner) {
      throw new CdcError('DESTINATION_MISCONFIGURED', `${other} and ${owner} both go to ${describeTarget(name)}.`, {
        fix: 'Tell them apart in `table` by {schema} or {source}.',
      });
    }
  }

  async #load(session: Session, name: Known['name'], schema: TableSchema, inRows: ReadonlySet<string>): Promise<Known> {
    let table = await readTable(session, name);
    if (table === null && this.#options.create) {
      await createTable(session, name, schema, wantedColumns(schema, inRows));
      this.#logger.info('created a table', { table: describeTarget(name) });
      table = await readTable(session, name);
    }
    if (table === null) {
      throw new CdcError('DESTINATION_MISCONFIGURED', `The table ${describeTarget(name)} does not exist.`, {
        fix: 'Create it, or set `create_tables: true`.',
      });
    }
    return { name, table, tables: new Map() };
  }

  async #complete(session: Session, known: Known, schema: TableSchema, inRows: ReadonlySet<string>): Promise<void> {
    const there = new Set(known.table.columns.map((c) => c.name));
    const missing = wantedColumns(schema, inRows).filter((c) => !there.has(c.name));
    if (missing.length === 0) return;
    await addColumns(session, known.name, missing);
    this.#logger.info('added columns', { table: describeTarget(known.name), columns: missing.map((c) => c.name) });
    known.table = (await readTable(session, known.name)) ?? known.table;
    known.tables.clear();
  }
}

/** One object per table and key, so that changes of one table are known to belong together. */
function withKeyOf(schema: TableSchema, known: Known): TargetTable {
  return remembered(known.tables, schema.key.join('\0'), () => targetFor(known.name, known.table, schema));
}

/** Messages go nowhere; a dropped source table leaves its target as it is. */
function needsTarget(event: ChangeEvent): boolean {
  return event.op !== 'm' && !(event.op === 's' && event.schemaChange?.kind === 'drop');
}

function noteColumns(needs: Map<TableSchema, { readonly source: string; readonly inRows: Set<string> }>, event: ChangeEvent): void {
  const need = remembered(needs, event.table, () => ({ source: event.source, inRows: new Set(event.table.key) }));
  if (event.after !== null) for (const column of Object.keys(event.after)) need.inRows.add(column);
}
