// Which target belongs to which source table, remembered while the pipeline runs, and made ready before rows are written: made,
// or changed as far as `schema_evolution` lets it. Runs between data transactions.

import {
  addedColumns,
  CdcError,
  type ChangeEvent,
  type Column,
  changedColumns,
  type Fit,
  formatTableId,
  type Logger,
  type PreviewWords,
  previewOf,
  type SchemaDecision,
  type SchemaEvolution,
  type SchemaPreview,
  type TableSchema,
} from '../sdk/index.ts';
import { remembered } from '../util/remembered.ts';
import { POINTS_TABLE } from './points.ts';
import { decide, frozen, isSettled, type Need, wantedColumns } from './schema-decision.ts';
import { describeTarget, type FoundTable, type TableName, type TargetColumn, type TargetTable } from './table.ts';
import { isConstant } from './target-name.ts';

/** A NULL that the server refused, and the column there. */
export interface RefusedNull extends TableName {
  readonly column: string;
}

/** How a database reads, makes and changes tables. `S` is a session, `F` a table as it was found, `T` as it is written to. */
export interface Tables<S, C extends TargetColumn, F extends FoundTable<C>, T extends TargetTable<C>> {
  /** The target's name there. Throws `DESTINATION_MISCONFIGURED`. */
  nameOf(template: string, source: string, table: TableSchema): string;
  /** `null` when there is no such table. Throws where the name belongs to something that rows cannot be written into. */
  read(session: S, name: TableName): Promise<F | null>;
  create(session: S, name: TableName, source: TableSchema, columns: readonly Column[]): Promise<void>;
  /** Decides again as late as it can, then adds and widens. Returns the table as it is then. */
  alter(session: S, name: TableName, decide: (found: F | null) => SchemaDecision<C>): Promise<F>;
  /** Lets a column take NULLs. `false`: the server does not. */
  loosen(session: S, name: TableName, column: string): Promise<boolean>;
  fit(target: C, source: Column): Fit;
  /** With the key by which rows are found. Throws when that key is not unique there. */
  target(name: TableName, found: F, source: TableSchema): T;
  /** What an operator could run about differences that stay, and the same for people. */
  misfitStatements(session: S, name: TableName, decision: SchemaDecision<C>): string[];
  misfitTexts(decision: SchemaDecision<C>): string[];
  nullableStatement(session: S, name: TableName, column: string): Promise<string>;
  previewWords(session: S, name: TableName, source: TableSchema, decision: SchemaDecision<C>): PreviewWords<C>;
}

export interface TargetOptions {
  readonly schema: string;
  readonly template: string;
  readonly pointsSchema: string;
  readonly create: boolean;
  readonly evolution: SchemaEvolution;
}

/** A target as it was last read, and the source tables that write to it. */
interface Known<F, T> {
  readonly name: TableName;
  table: F;
  readonly tables: Map<string, T>;
  /** The source table that was written last. */
  schema: TableSchema;
}

interface SourceNeed extends Need {
  readonly source: string;
  readonly inRows: Set<string>;
  readonly filled: Set<string>;
}

export class Targets<S, C extends TargetColumn, F extends FoundTable<C>, T extends TargetTable<C>> {
  readonly #tables: Tables<S, C, F, T>;
  readonly #options: TargetOptions;
  readonly #logger: Logger;
  #known = new Map<string, Known<F, T>>();
  /** Target name → the one source table that it belongs to. */
  readonly #owners = new Map<string, string>();
  readonly #warned = new Set<string>();

  constructor(tables: Tables<S, C, F, T>, options: TargetOptions, logger: Logger) {
    this.#tables = tables;
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
  async prepare(session: S, events: readonly ChangeEvent[]): Promise<(T | null)[]> {
    const needs = new Map<TableSchema, SourceNeed>();
    for (const event of events) if (needsTarget(event)) noteColumns(needs, event);
    const ready = new Map<TableSchema, Known<F, T>>();
    for (const [schema, need] of needs) ready.set(schema, await this.#makeReady(session, schema, need));
    // Only now: a table that was completed for one schema is read anew for all.
    const targets = new Map([...ready].map(([schema, known]) => [schema, this.#withKeyOf(schema, known)]));
    return events.map((event) => targets.get(event.table) ?? null);
  }

  async #makeReady(session: S, schema: TableSchema, need: SourceNeed): Promise<Known<F, T>> {
    const name = this.#nameOf(need.source, schema);
    this.#own(name, need.source, schema);
    const known = this.#known.get(name.name);
    if (known !== undefined) {
      const decision = this.#decide(known.table, schema, need);
      if (isSettled(decision)) {
        this.#warn(session, name, schema, decision);
        known.schema = schema;
        return known;
      }
    }
    // What is remembered may be out of date: an operator may have added the column by now.
    const table = await this.#follow(session, name, schema, need);
    const fresh = known ?? { name, table, tables: new Map<string, T>(), schema };
    if (fresh.table !== table && JSON.stringify(fresh.table) !== JSON.stringify(table)) {
      fresh.table = table;
      fresh.tables.clear();
    }
    fresh.schema = schema;
    this.#known.set(name.name, fresh);
    return fresh;
  }

  /** Reads the target, and makes or changes it as far as it may. Throws where nothing may be written. */
  async #follow(session: S, name: TableName, schema: TableSchema, need: Need): Promise<F> {
    let table = await this.#tables.read(session, name),
      decision = this.#decide(table, schema, need);
    if (decision.create) {
      await this.#tables.create(session, name, schema, wantedColumns(schema, need));
      this.#logger.info('created a table', { table: describeTarget(name) });
      table = await this.#tables.read(session, name);
      // Somebody else may have made it, with other columns.
      decision = this.#decide(table, schema, need);
    }
    if (table === null) throw noTable(name);
    if (decision.stop) throw this.#frozen(session, schema, name, decision);
    if (decision.add.length > 0 || decision.widen.length > 0) {
      table = await this.#tables.alter(session, name, (found) => this.#decide(found, schema, need));
      this.#logger.info('changed a table', {
        table: describeTarget(name),
        added: decision.add.map((c) => c.name),
        widened: decision.widen.map((w) => `${w.column.name}: ${w.type}`),
      });
    }
    this.#warn(session, name, schema, decision);
    return table;
  }

  #decide(table: F | null, source: TableSchema, need: Need): SchemaDecision<C> {
    const { create: mayChange, evolution } = this.#options;
    return decide({ table, source, need, mode: evolution.modeOf(source.id), mayChange, fit: this.#tables.fit });
  }

  #nameOf(source: string, table: TableSchema): TableName {
    return { schema: this.#options.schema, name: this.#tables.nameOf(this.#options.template, source, table) };
  }

  #frozen(session: S, schema: TableSchema, name: TableName, decision: SchemaDecision<C>): CdcError {
    return frozen(schema.id, name, this.#tables.misfitTexts(decision), this.#tables.misfitStatements(session, name, decision));
  }

  /** What it would do for these tables as they are now. Reads the catalog only. */
  async *preview(session: S, source: string, tables: readonly TableSchema[]): AsyncIterable<SchemaPreview> {
    for (const schema of tables) {
      const name = this.#nameOf(source, schema);
      const need = { inRows: new Set(schema.columns.map((c) => c.name)), filled: new Set<string>() },
        decision = this.#decide(await this.#tables.read(session, name), schema, need);
      yield* previewOf(
        schema,
        this.#options.evolution.modeOf(schema.id),
        decision,
        this.#tables.previewWords(session, name, schema, decision),
      );
    }
  }

  /** Invariant 3: what a mode leaves out is said, once per column. */
  #warn(session: S, name: TableName, schema: TableSchema, decision: SchemaDecision<C>): void {
    if (decision.misfits.length === 0) return;
    const mode = this.#options.evolution.modeOf(schema.id);
    const texts = this.#tables.misfitTexts(decision).filter((text) => !this.#warned.has(`${name.name} ${text}`));
    if (texts.length === 0) return;
    for (const text of texts) this.#warned.add(`${name.name} ${text}`);
    this.#logger.warn('a target table does not fit its source table', {
      table: describeTarget(name),
      source: formatTableId(schema.id),
      mode,
      differences: texts,
      fix: this.#tables.misfitStatements(session, name, decision),
    });
  }

  /**
   * The server refused a NULL in a column that is NOT NULL. `evolve` lets it take NULLs from here on, and the batch is worth another
   * try; `freeze` stops; else (`false`) the row is at fault.
   */
  async loosen(session: S, { schema, name, column }: RefusedNull): Promise<boolean> {
    const known = this.#known.get(name);
    if (known === undefined || known.name.schema !== schema) return false;
    const mode = this.#options.evolution.modeOf(known.schema.id);
    if (mode === 'freeze') {
      const statement = await this.#tables.nullableStatement(session, known.name, column);
      throw frozen(known.schema.id, known.name, [`column "${column}" is NOT NULL there, and a row has no value for it`], [statement]);
    }
    if (mode !== 'evolve' || !this.#options.create || known.schema.key.includes(column)) return false;
    if (!(await this.#tables.loosen(session, known.name, column))) return false;
    this.#logger.info('a column takes NULLs from now on', { table: describeTarget(known.name), column });
    return true;
  }

  /** One object per table and key, so that changes of one table are known to belong together. */
  #withKeyOf(schema: TableSchema, known: Known<F, T>): T {
    return remembered(known.tables, schema.key.join('\0'), () => this.#tables.target(known.name, known.table, schema));
  }

  /** Two source tables that fall on one target by accident would overwrite each other's rows. */
  #own(name: TableName, source: string, schema: TableSchema): void {
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

function noTable(name: TableName): CdcError {
  return new CdcError('DESTINATION_MISCONFIGURED', `The table ${describeTarget(name)} does not exist.`, {
    fix: 'Create it, or set `create_tables: true`.',
  });
}

/** Messages go nowhere; a dropped source table leaves its target as it is. */
function needsTarget(event: ChangeEvent): boolean {
  return event.op !== 'm' && !(event.op === 's' && event.schemaChange?.kind === 'drop');
}

function noteColumns(needs: Map<TableSchema, SourceNeed>, event: ChangeEvent): void {
  const { table, schemaChange } = event;
  const need = remembered(needs, table, () => ({ source: event.source, inRows: new Set(table.key), filled: new Set() }));
  if (event.after !== null) for (const column of Object.keys(event.after)) need.inRows.add(column);
  // A change of the schema is answered when it comes, not when the first row shows it.
  if (schemaChange === null) return;
  const before = schemaChange.previous?.columns ?? null;
  for (const column of changedColumns(table.columns, before)) need.inRows.add(column);
  if (before !== null) for (const { name } of addedColumns(table.columns, before)) need.filled.add(name);
}
