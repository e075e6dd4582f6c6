// The transformer itself: deletes as configured, and what is told about a change in columns and headers.

import type { ChangeEvent, Column, Row, TableSchema, Transformer } from 'cdc-run/sdk';
import { plainColumn } from '../../shared/column-type.ts';
import { tableMatcher } from '../../shared/table-pattern.ts';
import { assertDistinct, TablePlans, tableError, undecoded } from '../../shared/table-step.ts';
import type { UnwrapConfig } from './config.ts';
import { type Mark, markOf, typeOfMark } from './marks.ts';

export class Unwrap implements Transformer {
  readonly #deletes: UnwrapConfig['deletes'];
  readonly #deleted: string | null;
  readonly #columns: readonly (readonly [string, Mark])[];
  readonly #headers: readonly (readonly [string, Mark])[];
  readonly #isAbout: (table: TableSchema) => boolean;
  readonly #plans: TablePlans;

  constructor(config: UnwrapConfig) {
    this.#deletes = config.deletes;
    this.#deleted = config.deletes === 'rewrite' ? config.deleted_column : null;
    this.#columns = Object.entries(config.add_columns);
    this.#headers = Object.entries(config.add_headers);
    this.#isAbout = tableMatcher(config.tables);
    // `before` has none of the new columns, so they may be missing.
    const added: readonly Column[] = [
      ...this.#columns.map(([name, mark]) => plainColumn(name, typeOfMark(mark), true)),
      ...(this.#deleted === null ? [] : [plainColumn(this.#deleted, 'boolean', true)]),
    ];
    this.#plans = new TablePlans((table) => {
      if (table.columns.length === 0 || added.length === 0) return null;
      const columns = [...table.columns, ...added];
      assertDistinct(
        table,
        columns.map((c) => c.name),
        'Choose another name for the added column.',
      );
      const same = (row: Row): Row => row;
      return { table: { ...table, columns }, row: same, key: same };
    });
  }

  transform(events: ChangeEvent[]): ChangeEvent[] {
    const out: ChangeEvent[] = [];
    for (const event of events) {
      if (event.op === 'm' || !this.#isAbout(event.table)) out.push(event);
      else if (event.op !== 'd' || this.#deletes !== 'drop') out.push(this.#unwrap(event));
    }
    return out;
  }

  #unwrap(event: ChangeEvent): ChangeEvent {
    const table = this.#plans.of(event.table)?.table ?? event.table,
      headers = this.#headersOf(event);
    if (event.op === 't' || event.op === 's') return event.copy({ table, headers, schemaChange: this.#plans.schemaChange(event) });
    if (!event.has('before') && !event.has('after') && event.raw?.value) throw undecoded(event);
    if (event.op === 'd') return this.#deletes === 'rewrite' ? this.#rewrite(event, table, headers) : event.copy({ table, headers });
    const { after } = event;
    if (after === null || (this.#columns.length === 0 && this.#deleted === null)) return event.copy({ table, headers });
    return event.copy({ table, headers, after: { ...after, ...this.#added(event, after, false) }, raw: null });
  }

  /** The row as it was, as an update. A source that sends the key of a deleted row alone leaves the other columns as they are. */
  #rewrite(event: ChangeEvent, table: TableSchema, headers: Record<string, string> | null): ChangeEvent {
    const { before, key } = event;
    if (key === null)
      throw tableError(event.table, 'a delete without a key cannot be an update', 'Give the table a key, or set `deletes: drop`.');
    const row: Row = { ...before, ...(before === null ? key : {}) };
    const incomplete = before === null || event.table.columns.some((c) => !Object.hasOwn(row, c.name));
    return event.copy({ op: 'u', table, headers, key, incomplete, raw: null, after: { ...row, ...this.#added(event, row, true) } });
  }

  #added(event: ChangeEvent, row: Row, isDeleted: boolean): Row {
    const added: Row = {};
    for (const [name, mark] of this.#columns) added[name] = markOf(event, mark);
    if (this.#deleted !== null) added[this.#deleted] = isDeleted;
    const taken = Object.keys(added).find((name) => Object.hasOwn(row, name));
    if (taken === undefined) return added;
    throw tableError(event.table, `it has a column "${taken}" already`, 'Choose another name for the added column.');
  }

  #headersOf(event: ChangeEvent): Record<string, string> | null {
    if (this.#headers.length === 0) return event.headers;
    const told = this.#headers.flatMap(([name, mark]) => {
      const value = markOf(event, mark);
      return value === null ? [] : [[name, String(value)] as const];
    });
    return { ...event.headers, ...Object.fromEntries(told) };
  }
}
