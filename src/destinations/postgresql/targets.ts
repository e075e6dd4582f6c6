// Which target belongs to which source table, remembered while the pipeline runs, and made ready before rows are written: made,
// or changed as far as `schema_evolution` lets it. Runs between data transactions.

import {
  CdcError,
  type ChangeEvent,
  changedColumns,
  formatTableId,
  type Logger,
  previewOf,
  type SchemaEvolution,
  type SchemaPreview,
  type TableSchema,
} from '../../sdk/index.ts';
import { alterTable, loosenColumn } from './alter.ts';
import type { Session } from './connection.ts';
import { type Decision, misfitStatements, misfitTexts, previewWords } from './ddl.ts';
import type { RefusedNull } from './errors.ts';
import { type CatalogTable, createTable, readTable, targetFor } from './pg-catalog.ts';
import { POINTS_TABLE } from './points.ts';
import { remembered } from './remembered.ts';
import { decide, frozen, isSettled, wantedColumns } from './schema-decision.ts';
import { isConstant, targetName } from './target-name.ts';
import { describeTarget, type TargetTable } from './target-table.ts';

export interface TargetOptions {
  readonly schema: string;
  readonly template: string;
  readonly pointsSchema: string;
  readonly create: boolean;
  readonly evolution: SchemaEvolution;
}

/** A target as it was last read, and the source tables that write to it. */
interface Known {
  readonly name: { readonly schema: string; readonly name: string };
  table: CatalogTable;
  readonly tables: Map<string, TargetTable>;
  /** The source table that was written last. */
  schema: TableSchema;
}

/** What a batch brings for one source table. */
interface Need {
  readonly source: string;
  /** Columns for which values come. */
  readonly inRows: Set<string>;
}

export class Targets {
  readonly #options: TargetOptions;
  readonly #logger: Logger;
  #known = new Map<string, Known>();
  /** Target name → the one source table that it belongs to. */
  readonly #owners = new Map<string, string>();
  readonly #warned = new Set<string>();

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
    const needs = new Map<TableSchema, Need>();
    for (const event of events) if (needsTarget(event)) noteColumns(needs, event);
    const ready = new Map<TableSchema, Known>();
    for (const [schema, need] of needs) ready.set(schema, await this.#makeReady(session, schema, need));
    // Only now: a table that was completed for one schema is read anew for all.
    const targets = new Map([...ready].map(([schema, known]) => [schema, withKeyOf(schema, known)]));
    return events.map((event) => targets.get(event.table) ?? null);
  }

  async #makeReady(session: Session, schema: TableSchema, { source, inRows }: Need): Promise<Known> {
    const name = { schema: this.#options.schema, name: targetName(this.#options.template, source, schema) };
    this.#own(name, source, schema);
    const known = this.#known.get(name.name);
    if (known !== undefined) {
      const decision = this.#decide(known.table, schema, inRows);
      if (isSettled(decision)) {
        this.#warn(name, schema, decision);
        known.schema = schema;
        return known;
      }
    }
    // What is remembered may be out of date: an operator may have added the column by now.
    const table = await this.#follow(session, name, schema, inRows);
    const fresh = known ?? { name, table, tables: new Map<string, TargetTable>(), schema };
    if (fresh.table !== table && JSON.stringify(fresh.table) !== JSON.stringify(table)) {
      fresh.table = table;
      fresh.tables.clear();
    }
    fresh.schema = schema;
    this.#known.set(name.name, fresh);
    return fresh;
  }

  /** Reads the target, and makes or changes it as far as it may. Throws where nothing may be written. */
  async #follow(session: Session, name: Known['name'], schema: TableSchema, inRows: ReadonlySet<string>): Promise<CatalogTable> {
    let table = await readTable(session, name),
      decision = this.#decide(table, schema, inRows);
    if (decision.create) {
      await createTable(session, name, schema, wantedColumns(schema, inRows));
      this.#logger.info('created a table', { table: describeTarget(name) });
      table = await readTable(session, name);
      // Somebody else may have made it, with other columns.
      decision = this.#decide(table, schema, inRows);
    }
    if (table === null) throw noTable(name);
    if (decision.stop) throw frozen(schema.id, name, decision);
    if (decision.add.length > 0 || decision.widen.length > 0) {
      table = await alterTable(session, name, (found) => this.#decide(found, schema, inRows));
      this.#logger.info('changed a table', {
        table: describeTarget(name),
        added: decision.add.map((c) => c.name),
        widened: decision.widen.map((w) => `${w.column.name}: ${w.type}`),
      });
    }
    this.#warn(name, schema, decision);
    return table;
  }

  #decide(table: CatalogTable | null, schema: TableSchema, inRows: ReadonlySet<string>): Decision {
    const { create, evolution } = this.#options;
    return decide(table, schema, inRows, evolution.modeOf(schema.id), create);
  }

  /** What it would do for these tables as they are now. Reads the catalog only. */
  async *preview(session: Session, source: string, tables: readonly TableSchema[]): AsyncIterable<SchemaPreview> {
    for (const schema of tables) {
      const name = { schema: this.#options.schema, name: targetName(this.#options.template, source, schema) };
      const decision = this.#decide(await readTable(session, name), schema, new Set(schema.columns.map((c) => c.name)));
      yield* previewOf(schema, this.#options.evolution.modeOf(schema.id), decision, previewWords(name, schema, decision));
    }
  }

  /** Invariant 3: what a mode leaves out is said, once per column. */
  #warn(name: Known['name'], schema: TableSchema, decision: Decision): void {
    if (decision.misfits.length === 0) return;
    const mode = this.#options.evolution.modeOf(schema.id);
    const texts = misfitTexts(decision).filter((text) => !this.#warned.has(`${name.name} ${text}`));
    if (texts.length === 0) return;
    for (const text of texts) this.#warned.add(`${name.name} ${text}`);
    this.#logger.warn('a target table does not fit its source table', {
      table: describeTarget(name),
      source: formatTableId(schema.id),
      mode,
      differences: texts,
      fix: misfitStatements(name, decision),
    });
  }

  /**
   * The server refused a NULL in a column that is NOT NULL. `evolve` lets it take NULLs from here on, and the batch is worth another
   * try; `freeze` stops; else (`false`) the row is at fault.
   */
  async loosen(session: Session, { schema, table, column }: RefusedNull): Promise<boolean> {
    const known = this.#known.get(table);
    if (known === undefined || known.name.schema !== schema) return false;
    const mode = this.#options.evolution.modeOf(known.schema.id);
    if (mode === 'freeze') throw frozen(known.schema.id, known.name, null, column);
    if (mode !== 'evolve' || !this.#options.create || known.schema.key.includes(column)) return false;
    if (!(await loosenColumn(session, known.name, column))) return false;
    this.#logger.info('a column takes NULLs from now on', { table: describeTarget(known.name), column });
    return true;
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
}

function noTable(name: Known['name']): CdcError {
  return new CdcError('DESTINATION_MISCONFIGURED', `The table ${describeTarget(name)} does not exist.`, {
    fix: 'Create it, or set `create_tables: true`.',
  });
}

/** One object per table and key, so that changes of one table are known to belong together. */
function withKeyOf(schema: TableSchema, known: Known): TargetTable {
  return remembered(known.tables, schema.key.join('\0'), () => targetFor(known.name, known.table, schema));
}

/** Messages go nowhere; a dropped source table leaves its target as it is. */
function needsTarget(event: ChangeEvent): boolean {
  return event.op !== 'm' && !(event.op === 's' && event.schemaChange?.kind === 'drop');
}

function noteColumns(needs: Map<TableSchema, Need>, event: ChangeEvent): void {
  const { table, schemaChange } = event;
  const need = remembered(needs, table, () => ({ source: event.source, inRows: new Set(table.key) }));
  if (event.after !== null) for (const column of Object.keys(event.after)) need.inRows.add(column);
  // A change of the schema is answered when it comes, not when the first row shows it.
  if (schemaChange !== null)
    for (const column of changedColumns(table.columns, schemaChange.previous?.columns ?? null)) need.inRows.add(column);
}
