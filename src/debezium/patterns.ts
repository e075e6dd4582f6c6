// Debezium names tables and columns by regular expressions, we by `*` and `?`. Those that people write are translated; what means
// more than that is not guessed at.
//
// | expression | parts | pattern |
// |---|---|---|
// | `public.orders`, `public\.orders` | 2 | `public.orders` |
// | `public\.(orders\|items)` | 2 | `public.orders`, `public.items` |
// | `public.*` | 2 | `public.*` |
// | `.*\.audit_.*` | 2 | `*.audit_*` |
// | `inventory.*` | 3 | `inventory.*.*` |
// | `public\.order_\d+` | 2 | none |

/** `null`: the expression means more than a pattern can say. `parts`: how many the whole name has: schema, table, column. */
export function globsOf(expression: string, parts: number): string[] | null {
  const alternatives = expand(expression.replace(/^\^/, '').replace(/\$$/, ''));
  if (alternatives === null) return null;
  const globs = alternatives.map((alternative) => globOf(alternative, parts));
  return globs.some((glob) => glob === null) ? null : [...new Set(globs as string[])];
}

/** `a(b|c)|d` → `ab`, `ac`, `d`. `null`: unbalanced, or a group that is repeated. */
function expand(expression: string): string[] | null {
  const top = splitTop(expression);
  if (top === null) return null;
  if (top.length > 1) {
    const all = top.map((part) => expand(part));
    return all.some((part) => part === null) ? null : (all as string[][]).flat();
  }
  const open = indexOfGroup(expression);
  if (open < 0) return [expression];
  const close = closing(expression, open);
  if (close < 0 || /^[*+?{]/.test(expression.slice(close + 1))) return null;
  const inner = expression.slice(open + 1, close);
  if (/^\?(?!:)/.test(inner)) return null;
  const insides = expand(inner.replace(/^\?:/, '')),
    rests = expand(expression.slice(close + 1));
  if (insides === null || rests === null) return null;
  return insides.flatMap((inside) => rests.map((rest) => expression.slice(0, open) + inside + rest));
}

const indexOfGroup = (text: string): number => {
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '(') return i;
  }
  return -1;
};

function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i;
  }
  return -1;
}

/** At the bars that stand outside of groups. */
function splitTop(text: string): string[] | null {
  const out: string[] = [];
  let depth = 0,
    from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\\') i++;
    else if (c === '(') depth++;
    else if (c === ')') depth--;
    else if (c === '|' && depth === 0) {
      out.push(text.slice(from, i));
      from = i + 1;
    }
    if (depth < 0) return null;
  }
  return depth === 0 ? [...out, text.slice(from)] : null;
}

function globOf(expression: string, parts: number): string | null {
  let glob = '',
    i = 0;
  while (i < expression.length) {
    const rest = expression.slice(i),
      token = /^(?:\\([^A-Za-z0-9])|\[\.\]|(\.\*)|(\.\+)|([\p{L}\p{N}_.$#@:% -]))(?![*+?{])/u.exec(rest);
    if (token === null) return null;
    const [text, escaped, any, some, plain] = token;
    i += text.length;
    if (any !== undefined && i === expression.length) return ended(glob, parts);
    glob += any !== undefined ? '*' : some !== undefined ? '?*' : (escaped ?? plain ?? '.');
  }
  const count = glob.split('.').length;
  if (glob === '' || glob.split('.').includes('') || count > parts) return null;
  // A table needs its schema; columns may be named without.
  return parts === 2 && count !== 2 ? null : glob;
}

/** A trailing `.*` takes all that may come: the rest of this part, and the parts behind it. */
function ended(glob: string, parts: number): string | null {
  const before = glob.split('.');
  if (glob === '') return Array.from({ length: parts }, () => '*').join('.');
  if (before.length > parts || before.slice(0, -1).includes('')) return null;
  if (before.length === parts) return `${glob}*`;
  // `public.*`: people mean the dot, and so does Debezium, among others.
  return [
    ...(glob.endsWith('.') ? before.slice(0, -1) : before),
    ...Array.from({ length: parts - before.length + (glob.endsWith('.') ? 1 : 0) }, () => '*'),
  ].join('.');
}
