// Where results, notes and errors of a command go: results on stdout (text, or JSON with `--json`), everything else on stderr.
// Secrets are masked and control characters escaped here, for all commands.

import { inspect } from 'node:util';
import pc from 'picocolors';
import { printable } from '../observability/printable.ts';
import { redact, redactText } from '../observability/redact.ts';
import type { CdcError } from '../sdk/errors.ts';
import { wrap } from './format.ts';

/** What is used of a standard stream; tests hand in their own. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export type Env = Readonly<Record<string, string | undefined>>;
export type Colors = ReturnType<typeof pc.createColors>;

/** What to do about a bug of ours. */
const REPORT_IT = 'Please report this; `--log-level debug` shows where it happened.';

/** Wider text is hard to read; narrower terminals are not worth breaking for. */
const MAX_WIDTH = 120;
const MIN_WIDTH = 40;

/** `NO_COLOR` (any value) wins over `FORCE_COLOR`; else colours on a terminal that is not `dumb`. */
export function wantsColor(stream: Stream, env: Env): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '' && env['FORCE_COLOR'] !== '0') return true;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

function widthOf(stream: Stream): number {
  return Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, stream.columns || MAX_WIDTH));
}

export class Output {
  readonly json: boolean;
  /** Columns of stdout, for text that is wrapped. */
  readonly width: number;
  /** Colours for text on stdout and stderr. */
  readonly colors: Colors;
  readonly errColors: Colors;
  readonly #stdout: Stream;
  readonly #stderr: Stream;

  constructor(stdout: Stream, stderr: Stream, env: Env, json: boolean) {
    this.json = json;
    this.width = widthOf(stdout);
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.colors = pc.createColors(wantsColor(stdout, env));
    this.errColors = pc.createColors(wantsColor(stderr, env));
  }

  /** Lines of a result. */
  print(lines: readonly string[]): void {
    this.#stdout.write(`${redactText(lines.join('\n'))}\n`);
  }

  /** A result for machines: one JSON document on one line. `beside`: stdout belongs to a destination, so it goes to stderr. */
  document(value: unknown, beside = false): void {
    (beside ? this.#stderr : this.#stdout).write(`${JSON.stringify(redact(value))}\n`);
  }

  /** Text that must arrive as it is: a schema, a generated file. */
  raw(text: string): void {
    this.#stdout.write(text);
  }

  /** Lines for people beside the result. */
  note(lines: readonly string[]): void {
    this.#stderr.write(`${redactText(lines.join('\n'))}\n`);
  }

  /** The one block that a failed command shows; with `--json` a document on stdout, so that machines always find one there. */
  error(error: CdcError, stack = false): void {
    if (this.json) {
      this.document({ ok: false, error: error.toJSON() });
      return;
    }
    this.note(errorBlock(error, this.errColors, widthOf(this.#stderr)));
    if (stack) this.note([printable(inspect(error))]);
  }
}

/**
 * ```
 * ✖ SOURCE_UNREACHABLE at sources[0].url
 *   Nobody answers at db:5432 (connection refused).
 *   fix: Start the server, or correct `sources[0].url`.
 * ```
 */
function errorBlock(error: CdcError, c: Colors, width: number): string[] {
  const where = error.where === null ? '' : c.dim(` at ${printable(error.where)}`);
  const message = printable(error.message)
    .split('\n')
    .map((line) => `  ${wrap(line, width - 2, '  ')}`);
  const text = error.fix ?? (error.code === 'INTERNAL_UNEXPECTED' ? REPORT_IT : null);
  const fix = text === null ? [] : [`  ${c.green('fix:')} ${wrap(printable(text), width - 7, '       ')}`];
  return [`${c.red('✖')} ${c.bold(c.red(error.code))}${where}`, ...message, ...fix];
}
