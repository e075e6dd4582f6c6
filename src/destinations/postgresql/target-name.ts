// The limits of names in PostgreSQL.

import { describeTable, filledName, nameRefused } from '../../relational/target-name.ts';
import type { TableSchema } from '../../sdk/index.ts';

/** NAMEDATALEN - 1: the server cuts longer names off with a notice, so two names could silently become one. */
const MAX_NAME_BYTES = 63;

/** The target of a source table. Throws `DESTINATION_MISCONFIGURED`. */
export function targetName(template: string, source: string, table: TableSchema): string {
  return checkedName(filledName(template, source, table), describeTable(table));
}

/** A name that the server will keep as it is. Throws `DESTINATION_MISCONFIGURED`. */
export function checkedName(name: string, what: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes <= MAX_NAME_BYTES && !name.includes('\0')) return name;
  throw nameRefused(name, what, bytes === 0 ? 'is empty' : `has ${bytes} bytes, PostgreSQL takes ${MAX_NAME_BYTES}`);
}
