// What a configuration problem looks like, as data and as one line of text. Every stage of the loader reports these.

import type { ErrorCode } from '../sdk/index.ts';

/** A way into a document: `['sources', 0, 'port']`. */
export type Path = readonly (string | number)[];

export interface ConfigIssue {
  readonly code: ErrorCode;
  readonly message: string;
  /** The file as it was named, or `--set a.b` for an override. */
  readonly file: string;
  /** 1-based; 0 when the problem has no place in a file. */
  readonly line: number;
  readonly column: number;
  /** `sources[0].port`; empty for the whole document. */
  readonly path: string;
  /** What stands there, never a secret: `"abc"`, `a list`. */
  readonly found?: string;
  /** What is wanted there: `an integer`. */
  readonly expected?: string;
  /** The name that was probably meant. */
  readonly suggestion?: string;
  /** One imperative sentence. */
  readonly fix?: string;
}

/** `['sources', 0, 'a.b']` → `sources[0]["a.b"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/**
 * `pipelines/orders.yaml:12:5 CONFIG_UNKNOWN_KEY unknown key "prot" in sources[0]; did you mean "port"?`, and a second line
 * with the fix.
 */
export function formatIssue(issue: ConfigIssue): string {
  const place = issue.line > 0 ? `${issue.file}:${issue.line}:${issue.column}` : issue.file;
  const hint = issue.suggestion === undefined ? '' : `; did you mean "${issue.suggestion}"?`;
  const fix = issue.fix === undefined ? '' : `\n  fix: ${issue.fix}`;
  return `${place} ${issue.code} ${issue.message}${hint}${fix}`;
}

/** In the order of the file, whatever stage found them. */
export function sortIssues(issues: readonly ConfigIssue[]): ConfigIssue[] {
  return [...issues].sort((a, b) => a.line - b.line || a.column - b.column);
}
