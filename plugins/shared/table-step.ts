// Steps that change the columns of tables: the schema, the rows and the key of an event change together, so that every destination
// sees tables whose rows fit them.

import { CdcError, type ChangeEvent, formatTableId, type Row, type TableSchema, type Transformer } from 'cdc-run/sdk';
import { tableMatcher } from './table-pattern.ts';

/** What becomes of one table and its rows. The functions leave what they are given as it is, and return it when nothing changes. */
export interface TablePlan {
  readonly table: TableSchema;
  row(row: Row): Row;
  key(key: Row): Row;
}

/** Asked once per schema of a table. `null`: the table stays as it is. May throw, which costs the table's events. */
export type MakePlan = (table: TableSchema) => TablePlan | null;

/** Remembers plans by schema: what comes after remembers by the schema that a plan has, so there is one for each of the source. */
export class TablePlans {
  readonly #make: MakePlan;
  readonly #plans = new WeakMap<TableSchema, TablePlan | null>();

  constructor(make: MakePlan) {
    this.#make = make;
  }

  of(table: TableSchema): TablePlan | null {
    let plan = this.#plans.get(table);
    if (plan === undefined) {
      plan = this.#make(table);
      this.#plans.set(table, plan);
    }
    return plan;
  }

  /** The event as its plan has it; the same event when nothing changes. */
  apply(event: ChangeEvent): ChangeEvent {
    // Logical messages belong to no table.
    if (event.op === 'm') return event;
    const plan = this.of(event.table);
    if (plan === null) return event;
    if (!event.has('before') && !event.has('after') && event.raw?.value) throw undecoded(event);
    const { key, before, after } = event,
      newKey = key && plan.key(key),
      newBefore = before && plan.row(before),
      newAfter = after && plan.row(after);
    if (plan.table === event.table && newKey === key && newBefore === before && newAfter === after) return event;
    // The record as it was consumed says something else from here on.
    return event.copy({
      table: plan.table,
      key: newKey,
      before: newBefore,
      after: newAfter,
      raw: null,
      schemaChange: this.schemaChange(event),
    });
  }

  /** A change of the schema tells what it was before: that changes alike, or the change would name columns that never were. */
  schemaChange({ schemaChange }: ChangeEvent): ChangeEvent['schemaChange'] {
    if (schemaChange === null || schemaChange.previous === null) return schemaChange;
    return { ...schemaChange, previous: this.of(schemaChange.previous)?.table ?? schemaChange.previous };
  }
}

/** A transformer that changes tables, one event for one event. */
export class TableStep implements Transformer {
  readonly #plans: TablePlans;

  /** `tables`: patterns; none: all tables. */
  constructor(tables: readonly string[], make: MakePlan) {
    const isAbout = tableMatcher(tables);
    this.#plans = new TablePlans((table) => (isAbout(table) ? make(table) : null));
  }

  transform(events: ChangeEvent[]): ChangeEvent[] {
    return events.map((event) => this.#plans.apply(event));
  }
}

export function undecoded(event: ChangeEvent): CdcError {
  return new CdcError('PLUGIN_FAILED', `Event ${event.id} was not decoded, so it has no columns.`, {
    fix: 'Set the format of the source so that it decodes its records, or limit `tables` of the plugin.',
  });
}

/** An error about a table; `what` holds no values. */
export function tableError(table: TableSchema, what: string, fix: string): CdcError {
  return new CdcError('PLUGIN_FAILED', `${formatTableId(table.id)}: ${what}.`, { fix });
}

/** Throws where two columns would have one name. */
export function assertDistinct(table: TableSchema, names: readonly string[], fix: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw tableError(table, `two columns would have the name "${name}"`, fix);
    seen.add(name);
  }
}
