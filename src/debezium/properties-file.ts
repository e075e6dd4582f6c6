// Java's .properties: `key=value`, `key: value`, `key value`; comments, continued lines, escapes.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)

/** In the order of the file; of several with one key the last counts. */
export function parseProperties(text: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const match = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/su.exec(line);
    if (match === null || match[1] === '') continue;
    out.set(unescaped(match[1] as string), unescaped(match[2] as string));
  }
  return out;
}

/** Without comments; a line that ends in an odd number of backslashes goes on in the next. */
function logicalLines(text: string): string[] {
  const out: string[] = [];
  let open: string | null = null;
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    const line = raw.replace(/^[ \t\f]+/, '');
    if (open === null && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue;
    const whole: string = (open ?? '') + line,
      isOpen = (/\\*$/.exec(whole)?.[0].length ?? 0) % 2 === 1;
    open = isOpen ? whole.slice(0, -1) : null;
    if (!isOpen) out.push(whole);
  }
  return open === null ? out : [...out, open];
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' };

function unescaped(text: string): string {
  return text.replace(/\\(u([0-9a-fA-F]{4})|.)/gsu, (_, c: string, code: string | undefined) =>
    code === undefined ? (ESCAPES[c] ?? c) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
