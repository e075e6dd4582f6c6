// Names and literals in the SQL of MySQL and MariaDB. Texts are written into statements by these alone, for sessions whose
// `sql_mode` has neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES and whose character set is utf8mb4: `open.ts` makes them so. Pure.
// https://dev.mysql.com/doc/refman/8.0/en/string-literals.html

/** ``we`ird`` → `` `we``ird` ``. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export function qualified(table: { readonly schema: string; readonly name: string }): string {
  return `${quoteName(table.schema)}.${quoteName(table.name)}`;
}

const SPECIAL = /['\\\0]/;
const ESCAPES: Readonly<Record<string, string>> = { "'": "''", '\\': '\\\\', '\0': '\\0' };

/** `it's` → `'it''s'`. */
export function textLiteral(text: string): string {
  return SPECIAL.test(text) ? `'${text.replace(/['\\\0]/g, (c) => ESCAPES[c] as string)}'` : `'${text}'`;
}

/** Bytes → `x'00ff'`. */
export function bytesLiteral(bytes: Uint8Array): string {
  return `x'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}'`;
}
