// How deeply a parsed token nests, without recursion: the guard in front of the recursive composer.

import type { CST } from 'yaml';

/** The offset of the first token beyond `limit` levels; `null` when there is none. */
export function depthOf(token: CST.Token, limit: number): number | null {
  const stack: { readonly token: CST.Token; readonly depth: number }[] = [{ token, depth: 0 }];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { depth } = entry;
    const children = childrenOf(entry.token);
    if (children.length > 0 && depth >= limit) return entry.token.offset;
    for (const child of children) stack.push({ token: child, depth: depth + 1 });
  }
  return null;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!('items' in token)) return [];
  return token.items.flatMap((item) => [item.key, item.value]).filter((child) => child !== undefined && child !== null);
}
