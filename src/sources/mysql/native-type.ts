// What is read of a type as the catalog spells it (information_schema.COLUMNS.COLUMN_TYPE). Names in quotes may hold anything.

const NAME = /'((?:[^'\\]|''|\\.)*)'/gs;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };

/** `enum('a','b,c','d''e')` → `a`, `b,c`, `d'e`; `null` for what is neither ENUM nor SET. */
export function namesIn(columnType: string): readonly string[] | null {
  const start = /^\s*(?:enum|set)\s*\(/i.exec(columnType);
  if (start === null) return null;
  return Array.from(columnType.slice(start[0].length).matchAll(NAME), ([, name]) =>
    (name as string).replace(/''|\\(.)/gs, (_, escaped?: string) => (escaped === undefined ? "'" : (ESCAPES[escaped] ?? escaped))),
  );
}

/** Is it unsigned? `zerofill` makes it so. */
export function hasUnsigned(columnType: string): boolean {
  return /\b(?:unsigned|zerofill)\b/i.test(columnType);
}

/** `uuid` is `uuid`, whatever stands behind. */
export function isNamed(columnType: string, name: string): boolean {
  return /^[a-z0-9]+/i.exec(columnType)?.[0].toLowerCase() === name;
}
