// A decision about a target table as `plan` shows it: statements with what they mean. Nothing is run.

import type { SchemaPreview } from './destination.ts';
import type { SchemaDecision, SchemaMode, Widening } from './schema-evolution.ts';
import { type Column, formatTableId, type TableSchema } from './table-schema.ts';

/** How a destination spells its statements, and what each means for others. */
export interface PreviewWords<C> {
  readonly create: string;
  add(column: Column): string;
  readonly addNote: string;
  /** `null` where types are never changed. */
  widen: ((change: Widening<C>) => { readonly sql: string; readonly note: string }) | null;
  /** A difference that stays: `column "a" is missing there`. */
  misfits: readonly string[];
}

/** What a mode does about differences that it lets be. */
const CONSEQUENCES: Readonly<Record<SchemaMode, string>> = {
  evolve: 'values that do not fit go to the dead letter queue',
  lenient: 'values that do not fit go to the dead letter queue',
  freeze: 'the destination stops at the first such event',
  discard: 'values without a column are left out, others that do not fit go to the dead letter queue',
  dlq: 'events that do not fit go to the dead letter queue',
};

export function* previewOf<C>(
  source: TableSchema,
  mode: SchemaMode,
  decision: SchemaDecision<C>,
  words: PreviewWords<C>,
): Iterable<SchemaPreview> {
  const table = formatTableId(source.id);
  if (decision.create) yield { table, sql: words.create, note: 'the table is not there', runs: true };
  for (const column of decision.add) yield { table, sql: words.add(column), note: words.addNote, runs: true };
  for (const change of decision.widen) if (words.widen !== null) yield { table, ...words.widen(change), runs: true };
  let i = 0;
  for (const misfit of decision.misfits) {
    if (misfit.kind === 'no_table') {
      yield { table, sql: words.create, note: 'the table is not there, and `create_tables` is off', runs: false };
      continue;
    }
    const note = `${words.misfits[i++] ?? ''}; by mode ${mode} ${CONSEQUENCES[mode]}`;
    if (misfit.kind === 'no_column') yield { table, sql: words.add(misfit.column), note, runs: false };
    else {
      const { column, target, type } = misfit;
      yield { table, sql: type === null || words.widen === null ? null : words.widen({ column, target, type }).sql, note, runs: false };
    }
  }
}
