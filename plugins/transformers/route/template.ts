// Names made of a match. Pure.
//
// | template | `public\.orders_(?<year>\d{4})` on public.orders_2024 |
// |---|---|
// | `orders` | `orders` |
// | `y$1` | `y2024` |
// | `{schema}-$<year>` | `public-2024` |
// | `$$1` | `$1` |

import type { TableId } from 'cdc-run/sdk';

const PART = /\$\$|\$(\d{1,2})|\$<([^>]*)>|\{([^{}]*)\}/g;
const PLACEHOLDERS: readonly string[] = ['database', 'schema', 'table', 'source'];

/** What is wrong with a template; `groups`: any match of the expression. */
export function templateProblems(template: string, groups: RegExpExecArray): string[] {
  return [...template.matchAll(PART)].flatMap(([text, number, name, placeholder]) => {
    if (number !== undefined) return Number(number) < groups.length ? [] : [`the expression has no group ${text}`];
    if (name !== undefined) return Object.hasOwn(groups.groups ?? {}, name) ? [] : [`the expression has no group "${name}"`];
    return placeholder === undefined || PLACEHOLDERS.includes(placeholder) ? [] : [`"${text}" is not known`];
  });
}

/** Groups that took no part and parts that the source does not have are empty. */
export function fillTemplate(template: string, match: RegExpExecArray, id: TableId, source: string): string {
  const parts: Readonly<Record<string, string | null>> = { database: id.database, schema: id.schema, table: id.table, source };
  return template.replace(PART, (text, number?: string, name?: string, placeholder?: string) => {
    if (number !== undefined) return match[Number(number)] ?? '';
    if (name !== undefined) return match.groups?.[name] ?? '';
    return placeholder === undefined ? text.slice(1) : (parts[placeholder] ?? '');
  });
}
