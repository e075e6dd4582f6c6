// `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${file:/run/secrets/x}`, `$${` for a literal `${`. Works on the texts of a
// parsed document, so a value can never add keys, lists or anything else to it.

import { type ConfigDocument, isMapping } from './document.ts';
import type { Path } from './issue.ts';
import { readSecret, SecretFileError } from './secret-file.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface Interpolated {
  readonly text: string;
  /** `${PORT}`, `${file:/run/secrets/x}`: what was replaced, without defaults. Empty: the text stands as it was. */
  readonly references: readonly string[];
  /** Texts that came out of files. */
  readonly secrets: readonly string[];
  readonly problems: readonly InterpolationProblem[];
}

interface InterpolationProblem {
  readonly code: 'CONFIG_VARIABLE_MISSING' | 'CONFIG_SECRET_FILE' | 'CONFIG_INVALID_VALUE';
  readonly message: string;
  readonly fix: string;
}

/** Replaces the variables in every text of the document, in place. Texts with a problem are set aside. */
export function interpolateDocument(document: ConfigDocument, env: Env): void {
  document.value = walk(document.value, [], document, env);
}

function walk(value: unknown, path: Path, document: ConfigDocument, env: Env): unknown {
  if (Array.isArray(value)) return value.map((item, i) => walk(item, [...path, i], document, env));
  if (isMapping(value)) return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, walk(v, [...path, key], document, env)]));
  if (typeof value !== 'string' || !value.includes('${')) return value;
  const { text, references, secrets, problems } = interpolate(value, env);
  for (const secret of secrets) document.addSecret(secret);
  for (const { code, message, fix } of problems) document.problem({ code, path, message, fix });
  if (problems.length > 0) document.setBroken(path);
  if (references.length > 0) {
    document.setReferences(path, references);
    // What a variable holds is not shown: the text of the file is.
    document.addSecret(text, value);
  }
  return text;
}

/** One text. The values put in are not looked at again: `${` in a variable's value stays as it is. */
export function interpolate(text: string, env: Env): Interpolated {
  const scanner = new Scanner(text, env);
  return { text: scanner.textUntil(null), references: scanner.references, secrets: scanner.secrets, problems: scanner.problems };
}

/** Defaults within defaults; more is a hostile file. */
const MAX_NESTING = 16;
const FIX = 'Write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:/path}; a literal `${` is written `$${`.';

class Scanner {
  readonly references: string[] = [];
  readonly secrets: string[] = [];
  readonly problems: InterpolationProblem[] = [];
  readonly #text: string;
  readonly #env: Env;
  #at = 0;
  #nesting = 0;

  constructor(text: string, env: Env) {
    this.#text = text;
    this.#env = env;
  }

  /** Up to the end, or to the `}` that closes a default. */
  textUntil(end: '}' | null): string {
    let result = '';
    while (this.#at < this.#text.length) {
      if (this.#text.startsWith('$${', this.#at)) {
        result += '${';
        this.#at += 3;
        continue;
      }
      if (this.#text.startsWith('${', this.#at)) {
        if (this.#nesting >= MAX_NESTING) {
          this.#at = this.#text.length;
          return this.#malformed('variables nest too deeply');
        }
        this.#nesting++;
        result += this.#reference();
        this.#nesting--;
        continue;
      }
      const char = this.#text[this.#at] ?? '';
      if (char === end) return result;
      result += char;
      this.#at++;
    }
    if (end !== null) this.#malformed('a `${` is not closed');
    return result;
  }

  /** At `${`: reads to behind its `}`. */
  #reference(): string {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith('${file:')) return this.#file();
    const match = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(\}|:-|:\?)/.exec(rest);
    if (match === null) {
      this.#at += 2;
      return this.#malformed('a `${` does not begin a variable');
    }
    const [all, name = '', what] = match;
    this.#at += all.length;
    const value = Object.hasOwn(this.#env, name) ? this.#env[name] : undefined;
    this.references.push(`\${${name}}`);
    if (what === '}') return value ?? this.#missing(name, `the variable ${name} is not set`);
    const used = value !== undefined && value !== '';
    // What is not used is read all the same, to find its end, but asks for nothing.
    const other = used ? this.#skip() : this.textUntil('}');
    this.#at++;
    if (used) return value;
    return what === ':-' ? other : this.#missing(name, `the variable ${name} is not set: ${other === '' ? 'it is required' : other}`);
  }

  #skip(): string {
    const { length: references } = this.references,
      { length: secrets } = this.secrets,
      { length: problems } = this.problems;
    const skipped = this.textUntil('}');
    if (this.#at < this.#text.length) this.problems.length = problems;
    this.references.length = references;
    this.secrets.length = secrets;
    return skipped;
  }

  #file(): string {
    this.#at += '${file:'.length;
    const path = this.textUntil('}');
    this.#at++;
    this.references.push(`\${file:${path}}`);
    try {
      const secret = readSecret(path);
      this.secrets.push(secret);
      return secret;
    } catch (error) {
      if (!(error instanceof SecretFileError)) throw error;
      this.problems.push({
        code: 'CONFIG_SECRET_FILE',
        message: `the file ${path} ${error.message}`,
        fix: 'Correct the path, or create the file.',
      });
      return '';
    }
  }

  #missing(name: string, message: string): '' {
    this.problems.push({ code: 'CONFIG_VARIABLE_MISSING', message, fix: `Set ${name}, or write \${${name}:-default}.` });
    return '';
  }

  #malformed(message: string): '' {
    this.problems.push({ code: 'CONFIG_INVALID_VALUE', message, fix: FIX });
    return '';
  }
}
