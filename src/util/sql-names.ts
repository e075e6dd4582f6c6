// Names and texts in SQL. Pure.

/** `we"ird` → `"we""ird"`. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `it's` → `'it''s'`. Only for places where a value cannot be bound, such as the text of a trigger. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
