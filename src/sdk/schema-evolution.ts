// What a destination does when a table at the source is no longer what its target can take: the modes, and the decision, which is
// pure: the target as it is, the columns that are wanted, the mode → what to change there, and what stays different.

import { CdcError } from './errors.ts';
import { type Column, formatTableId, type TableId } from './table-schema.ts';

export const SCHEMA_MODES = ['evolve', 'lenient', 'freeze', 'discard', 'dlq'] as const;
/**
 * - `evolve`: the target follows: columns are added, types widened, NOT NULL is dropped where NULLs come.
 * - `lenient`: columns are added; what is there stays as it is.
 * - `freeze`: what the target cannot take stops the lane (`DESTINATION_SCHEMA_FROZEN`).
 * - `discard`: values of columns that the target lacks are left out and counted.
 * - `dlq`: events that the target cannot take go to the dead letter queue.
 *
 * In all of them a table that is not there is made where the destination may make tables; nothing is dropped or narrowed.
 */
export type SchemaMode = (typeof SCHEMA_MODES)[number];

/** What the pipeline says about tables that change. */
export interface SchemaEvolution {
  /** Of a table of the source. */
  modeOf(table: TableId): SchemaMode;
}

/** Where nothing is configured: columns are added, nothing else is changed. */
export const additiveOnly: SchemaEvolution = { modeOf: () => 'lenient' };

/**
 * Can a column of the target hold what a column of the source may have? `fits`: every value, or nobody can tell. `widen`: not
 * every value, but each of both as `type`. `unfit`: neither; values that happen to fit are still stored.
 */
export type Fit = { readonly kind: 'fits' } | { readonly kind: 'widen'; readonly type: string } | { readonly kind: 'unfit' };

/** `C` is a column as the destination knows it. */
export interface SchemaQuestion<C> {
  readonly mode: SchemaMode;
  /** The destination may change its tables (`create_tables`). */
  readonly mayChange: boolean;
  /** The target's column of a name; `null` when there is no table. */
  readonly target: ((name: string) => C | undefined) | null;
  /** All columns of the source's table, and those that rows have beside them. */
  readonly wanted: readonly Column[];
  /** Names of columns that values come for. Where nothing may be added, only these matter. */
  readonly used: ReadonlySet<string>;
  fit(target: C, source: Column): Fit;
}

/** A difference that stays. `type`: what would hold the values of both; `null` when nothing does. */
export type Misfit<C> =
  | { readonly kind: 'no_table' }
  | { readonly kind: 'no_column'; readonly column: Column }
  | { readonly kind: 'narrow_column'; readonly column: Column; readonly target: C; readonly type: string | null };

export interface Widening<C> {
  readonly column: Column;
  readonly target: C;
  readonly type: string;
}

export interface SchemaDecision<C> {
  /** Nothing may be written: `misfits` says why. */
  readonly stop: boolean;
  readonly create: boolean;
  readonly add: readonly Column[];
  readonly widen: readonly Widening<C>[];
  readonly misfits: readonly Misfit<C>[];
}

const CREATE: SchemaDecision<never> = { stop: false, create: true, add: [], widen: [], misfits: [] };
const NO_TABLE: SchemaDecision<never> = { stop: true, create: false, add: [], widen: [], misfits: [{ kind: 'no_table' }] };

/** Repeatable: asked again about a target that was changed as it said, it finds nothing more to change. */
export function decideSchema<C>({ mode, mayChange, target, wanted, used, fit: judge }: SchemaQuestion<C>): SchemaDecision<C> {
  if (target === null) return mayChange ? CREATE : NO_TABLE;
  const adds = mayChange && (mode === 'evolve' || mode === 'lenient'),
    widens = mayChange && mode === 'evolve';
  const add: Column[] = [],
    widen: Widening<C>[] = [],
    misfits: Misfit<C>[] = [];
  for (const column of wanted) {
    const found = target(column.name);
    if (found === undefined) {
      if (adds) add.push(column);
      else if (used.has(column.name)) misfits.push({ kind: 'no_column', column });
      continue;
    }
    if (!widens && !used.has(column.name)) continue;
    const answer = judge(found, column);
    if (answer.kind === 'fits') continue;
    const type = answer.kind === 'widen' ? answer.type : null;
    if (widens && type !== null) widen.push({ column, target: found, type });
    else misfits.push({ kind: 'narrow_column', column, target: found, type });
  }
  return { stop: mode === 'freeze' && misfits.length > 0, create: false, add, widen, misfits };
}

/** Columns that a schema change added, or gave another type. All of them when nothing is known of before. */
export function changedColumns(now: readonly Column[], before: readonly Column[] | null): string[] {
  const old = new Map((before ?? []).map((c) => [c.name, typeText(c)]));
  return now.filter((c) => old.get(c.name) !== typeText(c)).map((c) => c.name);
}

/** Columns that a DDL added: those that have another name now are not among them. Rows that were there have the default in them. */
export function addedColumns(now: readonly Column[], before: readonly Column[]): Column[] {
  const isIn = (columns: readonly Column[], name: string): boolean => columns.some((c) => c.name === name);
  return now.filter((column, i) => {
    const there = before[i],
      isRenamed = there !== undefined && there.nativeType === column.nativeType && !isIn(now, there.name);
    return !isIn(before, column.name) && !isRenamed;
  });
}

const typeText = ({ type, length, precision, scale, element }: Column): string => JSON.stringify([type, length, precision, scale, element]);

/** `text` at the source, or our word for the type where the source has none. */
export function describeType(column: Column): string {
  return column.nativeType === '' ? column.type : column.nativeType;
}

/** Invariant 3: the lane stops before the first event that does not fit, so that nothing is lost while somebody decides. */
export function schemaFrozen(
  table: TableId,
  target: string,
  problems: readonly string[],
  ddl: readonly string[],
  where?: string,
): CdcError {
  const source = formatTableId(table);
  const run = ddl.length === 0 ? 'Change the target table by hand' : `Run: ${ddl.join('; ')};`;
  return new CdcError('DESTINATION_SCHEMA_FROZEN', `${source} → ${target}: ${problems.join('; ')}.`, {
    ...(where === undefined ? {} : { where }),
    fix: `${run} or give ${source} another mode in \`schema_evolution.tables\`.`,
  });
}
