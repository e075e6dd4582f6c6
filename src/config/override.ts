// `--set destinations[0].path=x`: values from the command line, put into the parsed document before variables are replaced.

import { isScalar, parseDocument } from 'yaml';
import { type ConfigDocument, isMapping } from './document.ts';
import type { ConfigIssue, Path } from './issue.ts';

export interface Override {
  readonly path: Path;
  readonly value: string | number | boolean | null;
  readonly origin: string;
}

/** `a.b[0]["c.d"]=value` texts → overrides. The value is read like a YAML scalar: `5` is a number, `"5"` a text. */
export function parseOverrides(set: readonly string[]): { overrides: Override[]; problems: ConfigIssue[] } {
  const overrides: Override[] = [],
    problems: ConfigIssue[] = [];
  for (const text of set) {
    const equals = text.indexOf('=');
    const path = equals < 0 ? null : parsePath(text.slice(0, equals));
    // Without the value: it may be a password.
    const origin = `--set ${equals < 0 ? text : text.slice(0, equals)}`;
    if (path === null)
      problems.push(
        issueOf(
          origin,
          'this is not of the form key=value',
          'Write it like --set sync.batch_size=500 or --set destinations[0].path=out.ndjson.',
        ),
      );
    else overrides.push({ path, value: parseScalar(text.slice(equals + 1)), origin });
  }
  return { overrides, problems };
}

/** Puts the values in. Keys that are not there are added; what they mean is for validation to say. */
export function applyOverrides(document: ConfigDocument, overrides: readonly Override[]): void {
  for (const override of overrides) {
    if (!assign(document.value, override)) {
      const message = 'the path leads into something that is not there, or is neither a list nor a mapping';
      document.problems.push(issueOf(override.origin, message, 'Compare the path with the file.'));
      continue;
    }
    const place = { line: 0, column: 0 };
    document.mark(override.path, { key: place, value: place, origin: override.origin });
  }
}

function assign(root: unknown, { path, value }: Override): boolean {
  let target = root;
  for (const [i, part] of path.entries()) {
    const last = i === path.length - 1;
    if (Array.isArray(target) && typeof part === 'number' && part <= target.length) {
      if (last) target[part] = value;
      else if (part === target.length) return false;
      else target = target[part];
    } else if (isMapping(target) && typeof part === 'string') {
      if (last) target[part] = value;
      else target = target[part] ??= {};
    } else return false;
  }
  return path.length > 0;
}

/** `destinations[0].path` → `['destinations', 0, 'path']`; `null` when it is not a path. */
export function parsePath(text: string): Path | null {
  const path: (string | number)[] = [];
  const pattern = /\.?([\w-]+)|\[(\d{1,4})\]|\["((?:[^"\\]|\\.)*)"\]/y;
  while (pattern.lastIndex < text.length) {
    const start = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) return null;
    const [all, name, index, quoted] = match;
    if (name !== undefined && all.startsWith('.') === (start === 0)) return null;
    const key = name ?? quoted;
    if (key === '__proto__') return null;
    path.push(index === undefined ? String(key) : Number(index));
  }
  return path.length > 0 ? path : null;
}

function parseScalar(text: string): Override['value'] {
  const { contents, errors } = parseDocument(text, { schema: 'core', prettyErrors: false, logLevel: 'silent' });
  if (text === '') return '';
  if (errors.length > 0 || !isScalar(contents)) return text;
  const { value } = contents;
  const kept = value === null || typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && !unsafe(value));
  return kept ? value : text;
}

function unsafe(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

function issueOf(origin: string, message: string, fix: string): ConfigIssue {
  return { code: 'CONFIG_INVALID_VALUE', message, file: origin, line: 0, column: 0, path: '', fix };
}
