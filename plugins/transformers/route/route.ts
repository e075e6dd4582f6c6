// The transformer itself: finds the route of a table once, then moves its events there. Rows stay in their bytes, unless a column is
// added to them.

import { type ChangeEvent, formatTableId, type Logger, type Row, renamedTable, type TableSchema, type Transformer } from 'cdc-run/sdk';
import { plainColumn } from '../../shared/column-type.ts';
import { tableError } from '../../shared/table-step.ts';
import type { RouteConfig, RouteRule } from './config.ts';
import { fillTemplate } from './template.ts';

interface Compiled {
  readonly rule: RouteRule;
  readonly expression: RegExp;
  readonly truncate: 'pass' | 'drop' | 'fail';
}

/** Where one table goes. */
interface Way {
  readonly table: TableSchema;
  readonly truncate: 'pass' | 'drop' | 'fail';
  /** The column to add and its value. */
  readonly added: Readonly<Row> | null;
}

/** A text that matches only itself: letters, digits, `_`, `-`, and dots that are escaped. */
const LITERAL = /^(?:[\w-]|\\\.)*$/u;

export class Route implements Transformer {
  readonly #rules: readonly Compiled[];
  readonly #logger: Logger;
  readonly #ways = new WeakMap<TableSchema, Map<string, Way | null>>();
  /** Target → the table that came there first, and whether others have been told of. */
  readonly #arrivals = new Map<string, { readonly from: string; told: boolean }>();

  constructor(config: RouteConfig, logger: Logger) {
    this.#rules = config.routes.map((rule) => ({
      rule,
      expression: new RegExp(`^(?:${rule.match})$`, 'su'),
      truncate: rule.truncate ?? (LITERAL.test(rule.match) ? 'pass' : 'fail'),
    }));
    this.#logger = logger;
  }

  transform(events: ChangeEvent[]): ChangeEvent[] {
    const out: ChangeEvent[] = [];
    for (const event of events) {
      const way = event.op === 'm' ? null : this.#wayOf(event.table, event.source);
      if (way === null) out.push(event);
      else if (event.op !== 't' || way.truncate === 'pass') out.push(this.#move(event, way));
      else if (way.truncate === 'fail') throw truncateError(event.table, way.table);
    }
    return out;
  }

  #move(event: ChangeEvent, { table, added }: Way): ChangeEvent {
    const schemaChange = event.schemaChange && { ...event.schemaChange, previous: this.#previous(event) };
    if (added === null) return event.copy({ table, schemaChange });
    const { key, before, after } = event,
      withColumn = (row: Row | null): Row | null => row && { ...row, ...added };
    return event.copy({
      table,
      schemaChange,
      key: key === null ? null : { ...key, ...added },
      before: withColumn(before),
      after: withColumn(after),
      raw: null,
    });
  }

  #previous({ schemaChange, source }: ChangeEvent): TableSchema | null {
    const previous = schemaChange?.previous ?? null;
    return previous && (this.#wayOf(previous, source)?.table ?? previous);
  }

  /** `null`: it stays where it is. One schema for each of the source, because all that comes after remembers by it. */
  #wayOf(table: TableSchema, source: string): Way | null {
    let bySource = this.#ways.get(table);
    if (bySource === undefined) {
      bySource = new Map();
      this.#ways.set(table, bySource);
    }
    let way = bySource.get(source);
    if (way === undefined) {
      way = this.#find(table, source);
      bySource.set(source, way);
    }
    return way;
  }

  #find(table: TableSchema, source: string): Way | null {
    const name = formatTableId(table.id);
    for (const { rule, expression, truncate } of this.#rules) {
      const match = expression.exec(name);
      if (match === null) continue;
      const filled = (template: string): string => fillTemplate(template, match, table.id, source);
      const id = {
        database: table.id.database,
        schema: rule.schema === undefined ? table.id.schema : filled(rule.schema) || null,
        table: rule.table === undefined ? table.id.table : filled(rule.table),
      };
      if (id.table === '') throw tableError(table, 'its new name is empty', 'Correct `table`, or the groups of `match`.');
      if (rule.key_column === undefined) {
        this.#noteArrival(`${source}.${name}`, formatTableId(id));
        return { table: renamedTable(table, id), truncate, added: null };
      }
      const added = { [rule.key_column.name]: filled(rule.key_column.value) };
      return { table: withKeyColumn(renamedTable(table, id), rule.key_column.name), truncate, added };
    }
    return null;
  }

  /** Rows of two tables with equal keys overwrite each other in one target: only the user knows whether there are any. */
  #noteArrival(from: string, to: string): void {
    const arrival = this.#arrivals.get(to);
    if (arrival === undefined) this.#arrivals.set(to, { from, told: false });
    else if (arrival.from !== from && !arrival.told) {
      arrival.told = true;
      this.#logger.warn('several tables go to one: rows with equal keys overwrite each other unless `key_column` tells them apart', {
        target: to,
        tables: [arrival.from, from],
      });
    }
  }
}

function withKeyColumn(table: TableSchema, name: string): TableSchema {
  if (table.key.includes(name) || table.columns.some((c) => c.name === name))
    throw tableError(table, `it has a column "${name}" already`, 'Choose another name for `key_column`.');
  return {
    ...table,
    columns: table.columns.length === 0 ? [] : [...table.columns, plainColumn(name, 'string', false)],
    key: table.key.length === 0 ? [] : [...table.key, name],
  };
}

const truncateError = (from: TableSchema, to: TableSchema) =>
  tableError(
    from,
    `it was truncated, which would empty all of ${formatTableId(to.id)}, where other tables may go as well`,
    'Set `truncate: pass` if no other table goes there, or `drop`; remove the rows at the destination by hand.',
  );
