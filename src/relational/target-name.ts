// Which target table a source table goes to: the `table` template. What names a database takes, each says itself. Pure.

import { CdcError, formatTableId, type TableSchema } from '../sdk/index.ts';

const PLACEHOLDER = /\{([^{}]*)\}/g;
const KNOWN: readonly string[] = ['table', 'schema', 'database', 'source'];

/** What is wrong with a template. */
export function placeholderProblems(template: string): string[] {
  return [...template.matchAll(PLACEHOLDER)].filter(([, name]) => !KNOWN.includes(name ?? '')).map(([text]) => `${text} is not known here`);
}

/** All tables of the source go to one target table. */
export function isConstant(template: string): boolean {
  return !template.includes('{');
}

/** `replica_{schema}_{table}` → `replica_public_orders`. Parts that the source does not have are empty. */
export function filledName(template: string, source: string, { id }: TableSchema): string {
  const parts: Readonly<Record<string, string>> = { table: id.table, schema: id.schema ?? '', database: id.database ?? '', source };
  return template.replace(PLACEHOLDER, (_, name: string) => parts[name] ?? '');
}

/** A name that cannot be used. `what`: of the table or column; `why`: what is wrong with it. */
export function nameRefused(name: string, what: string, why: string): CdcError {
  return new CdcError('DESTINATION_MISCONFIGURED', `The target name of ${what} ${why}: "${name}".`, {
    fix: 'Change `table`, or rename the column by a transformer.',
  });
}

export const describeTable = (table: TableSchema): string => `table ${formatTableId(table.id)}`;
