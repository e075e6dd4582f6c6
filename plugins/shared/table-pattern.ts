// Which tables a plugin is about. Pure.
//
// | pattern | matches |
// |---|---|
// | `orders` | the table `orders` in any schema |
// | `public.order_*` | `public.order_items`; `*` stands for any text without a dot |

import { formatTableId, type TableSchema } from 'cdc-run/sdk';

/** No patterns: every table. The answer is remembered per table schema, so that the hot path matches no text. */
export function tableMatcher(patterns: readonly string[]): (table: TableSchema) => boolean {
  if (patterns.length === 0) return () => true;
  const expressions = patterns.map((pattern) => ({ expression: toRegExp(pattern), qualified: pattern.includes('.') }));
  const known = new WeakMap<TableSchema, boolean>();
  return (table) => {
    let answer = known.get(table);
    if (answer === undefined) {
      answer = expressions.some(({ expression, qualified }) => expression.test(qualified ? formatTableId(table.id) : table.id.table));
      known.set(table, answer);
    }
    return answer;
  };
}

function toRegExp(pattern: string): RegExp {
  return new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[\\^$.+?()[\]{}|]/gu, '\\$&'))
      .join('[^.]*')}$`,
    'su',
  );
}
