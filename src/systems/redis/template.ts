// Names of streams and keys, made from a template and an event. `{word}` stands for a value; `{{` and `}}` are braces of the name
// itself, as the hash tags of a cluster need them. Pure.
//
// | template | name |
// |---|---|
// | `cdc.{schema}.{table}` | `cdc.public.orders` |
// | `{{cdc}}:{table}` | `{cdc}:orders` |

/** A text, or the word of a placeholder. */
export type Part = { readonly text: string } | { readonly word: string };

/** The parts, or what is wrong. */
export function parseTemplate(template: string): readonly Part[] | string {
  const parts: Part[] = [];
  let text = '';
  for (let at = 0; at < template.length; ) {
    const two = template.slice(at, at + 2),
      char = template[at] as string;
    if (two === '{{' || two === '}}') {
      text += char;
      at += 2;
    } else if (char === '}') return 'a "}" has no "{" before it; write "}}" for the character itself';
    else if (char === '{') {
      const word = /^\{([^{}]+)\}/.exec(template.slice(at))?.[1];
      if (word === undefined) return 'a "{" is not followed by a name and "}"; write "{{" for the character itself';
      if (text !== '') parts.push({ text });
      text = '';
      parts.push({ word });
      at += word.length + 2;
    } else {
      text += char;
      at++;
    }
  }
  if (text !== '') parts.push({ text });
  return parts;
}

/** The template's words, each once. */
export function wordsOf(parts: readonly Part[]): string[] {
  return [...new Set(parts.flatMap((p) => ('word' in p ? [p.word] : [])))];
}

/** What decides about the slot of every name that the template can make; `null`: they differ. */
export function commonTag(parts: readonly Part[]): string | null {
  const [first] = parts;
  if (first === undefined || !('text' in first)) return null;
  const tag = hashTag(first.text);
  if (tag !== first.text || parts.length === 1) return /[{}]/.test(tag) ? null : tag;
  return null;
}

/**
 * The part of a key that a cluster looks at: what stands between the first `{` and the next `}`, unless that is nothing.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function hashTag(key: string): string {
  const open = key.indexOf('{'),
    close = open === -1 ? -1 : key.indexOf('}', open + 1);
  return close <= open + 1 ? key : key.slice(open + 1, close);
}
