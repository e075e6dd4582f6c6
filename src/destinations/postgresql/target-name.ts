// Which target table a source table goes to: the `table` template, and the limits of names in PostgreSQL.

import { CdcError, formatTableId, type TableSchema } from '../../sdk/index.ts';

const PLACEHOLDER = /\{([^{}]*)\}/g;
const KNOWN: readonly string[] = ['table', 'schema', 'database', 'source'];
/** NAMEDATALEN - 1: the server cuts longer names off with a notice, so two names could silently become one. */
const MAX_NAME_BYTES = 63;

/** What is wrong with a template. */
export function placeholderProblems(template: string): string[] {
  return [...template.matchAll(PLACEHOLDER)].filter(([, name]) => !KNOWN.includes(name ?? '')).map(([text]) => `${text} is not known here`);
}

/** All tables of the source go to one target table. */
export function isConstant(template: string): boolean {
  return !template.includes('{');
}

/** `replica_{schema}_{table}` → `replica_public_orders`. Parts that the source does not have are empty. */
export function targetName(template: string, source: string, table: TableSchema): string {
  const { id } = table;
  const parts: Readonly<Record<string, string>> = { table: id.table, schema: id.schema ?? '', database: id.database ?? '', source };
  return checkedName(
    template.replace(PLACEHOLDER, (_, name: string) => parts[name] ?? ''),
    `table ${formatTableId(id)}`,
  );
}

/** A name that the server will keep as it is. Throws `DESTINATION_MISCONFIGURED`. */
export function checkedName(name: string, what: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes <= MAX_NAME_BYTES && !name.includes('\0')) return name;
  const found = bytes === 0 ? 'is empty' : `has ${bytes} bytes, PostgreSQL takes ${MAX_NAME_BYTES}`;
  throw new CdcError('DESTINATION_MISCONFIGURED', `The target name of ${what} ${found}: "${name}".`, {
    fix: 'Change `table`, or rename the column by a transformer.',
  });
}
