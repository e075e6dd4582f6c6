// Patterns with wildcards, for file paths and for names of tables. Pure.
//
// | pattern | matches | not |
// |---|---|---|
// | `*.csv` | `a.csv` | `b/a.csv` |
// | `**/*.csv` | `a.csv`, `b/c/a.csv` | `a.tsv` |
// | `log-?.{csv,tsv}` | `log-1.tsv` | `log-12.tsv` |
// | `public.order_*` with separator `.` | `public.order_items` | `public.order_x.y` |
// | `a\*b` | `a*b` | `axb` |

/**
 * A pattern as an anchored regular expression. `*` is any text without the separator, `?` one such character, `**` any text,
 * `{a,b}` either; a backslash takes the next character as it is. Unbalanced braces stand for themselves.
 */
export function globToRegExp(pattern: string, separator = '/'): RegExp {
  return new RegExp(`^${translate(pattern, escapeRegExp(separator))}$`, 'su');
}

/** Does the text hold a wildcard? */
export function isGlob(text: string): boolean {
  return /(^|[^\\])[*?]|\{.*\}/s.test(text);
}

/** The folder that all matches are in: the leading parts without a wildcard. `data/in/*.csv` → `data/in`; `*.csv` → `.` */
export function globBase(pattern: string): string {
  const parts = pattern.split('/');
  const first = parts.findIndex(isGlob);
  const literal = parts.slice(0, first === -1 ? parts.length - 1 : first);
  if (literal.length === 0) return '.';
  return literal.join('/').replace(/\\(.)/gsu, '$1') || '/';
}

function translate(pattern: string, separator: string): string {
  let result = '';
  for (let i = 0; i < pattern.length; ) {
    const char = String.fromCodePoint(pattern.codePointAt(i) as number);
    if (char === '\\' && i + 1 < pattern.length) {
      const next = String.fromCodePoint(pattern.codePointAt(i + 1) as number);
      result += escapeRegExp(next);
      i += 1 + next.length;
    } else if (char === '*') {
      const stars = (/^\*+/.exec(pattern.slice(i)) as RegExpExecArray)[0].length;
      const wholePart = stars > 1 && pattern[i + stars] === '/' && (i === 0 || pattern[i - 1] === '/');
      result += stars === 1 ? `[^${separator}]*` : wholePart ? '(?:.*/)?' : '.*';
      i += stars + (wholePart ? 1 : 0);
    } else if (char === '?') {
      result += `[^${separator}]`;
      i += 1;
    } else if (char === '{' && closing(pattern, i) !== -1) {
      const end = closing(pattern, i);
      result += `(?:${alternatives(pattern.slice(i + 1, end))
        .map((a) => translate(a, separator))
        .join('|')})`;
      i = end + 1;
    } else {
      result += escapeRegExp(char);
      i += char.length;
    }
  }
  return result;
}

/** The brace that closes the one at `open`; -1 when there is none. */
function closing(pattern: string, open: number): number {
  let depth = 0;
  for (let i = open; i < pattern.length; i++) {
    if (pattern[i] === '\\') i++;
    else if (pattern[i] === '{') depth++;
    else if (pattern[i] === '}' && --depth === 0) return i;
  }
  return -1;
}

/** `a,{b,c}` → `a` and `{b,c}`: split at commas outside of inner braces. */
function alternatives(text: string): string[] {
  const result: string[] = [];
  let depth = 0,
    start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '{') depth++;
    else if (text[i] === '}') depth--;
    else if (text[i] === ',' && depth === 0) {
      result.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...result, text.slice(start)];
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
}
