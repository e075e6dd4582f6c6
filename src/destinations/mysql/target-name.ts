// The limits of names in MySQL and MariaDB. https://dev.mysql.com/doc/refman/8.0/en/identifiers.html

import { describeTable, filledName, nameRefused } from '../../relational/target-name.ts';
import type { TableSchema } from '../../sdk/index.ts';

const MAX_NAME_CHARACTERS = 64;

/** The target of a source table. Throws `DESTINATION_MISCONFIGURED`. */
export function targetName(template: string, source: string, table: TableSchema): string {
  return checkedName(filledName(template, source, table), describeTable(table));
}

/** A name that the server takes. Throws `DESTINATION_MISCONFIGURED`. */
export function checkedName(name: string, what: string): string {
  const length = [...name].length;
  if (length === 0) throw nameRefused(name, what, 'is empty');
  if (length > MAX_NAME_CHARACTERS) throw nameRefused(name, what, `has ${length} characters, MySQL takes ${MAX_NAME_CHARACTERS}`);
  if (/[\0\u{10000}-\u{10ffff}]/u.test(name)) throw nameRefused(name, what, 'has characters that names in MySQL cannot have');
  if (name.endsWith(' ')) throw nameRefused(name, what, 'ends in a blank');
  return name;
}
