// What must not reach the dead letter queue, logs and state in clear: columns that a transformer hides, of events that failed
// at or before it, and their values where an error message quotes them. Pure.

import { CdcError, type ChangeEvent, JsonText, type Row, type Transformer, type Value } from '../sdk/index.ts';

const HIDDEN = '***';
/** Shorter values are hidden only where they stand alone: `1` is in every other number. */
const MIN_LENGTH_ANYWHERE = 4;

/** Columns that these steps hide. A step that cannot tell hides all. */
export function sensitiveColumns(steps: readonly { readonly transformer: Transformer }[], event: ChangeEvent): readonly string[] {
  const columns = new Set<string>();
  for (const { transformer } of steps) {
    try {
      for (const column of transformer.sensitive?.(event) ?? []) columns.add(column);
    } catch {
      // The step that failed the event may fail this question too; then nothing of the event is known to be harmless.
      for (const row of [event.before, event.after, event.key]) for (const column of Object.keys(row ?? {})) columns.add(column);
    }
  }
  return [...columns];
}

/** The error without the values of these columns. Other forms of a value (parts, hashes, other number formats) are not found. */
export function withoutValues(error: CdcError, event: ChangeEvent, columns: readonly string[]): CdcError {
  const values = new Set<string>();
  for (const row of [event.before, event.after, event.key]) for (const column of columns) collect(own(row, column), values);
  // Longer ones first: one may be part of another.
  const sorted = [...values].sort((a, b) => b.length - a.length);
  return sorted.length === 0 ? error : rewritten(error, (text) => sorted.reduce(hide, text));
}

/** The error without what stands in quotes: of an input that nobody could read, any quotation may be sensitive. */
export function withoutQuotes(error: CdcError): CdcError {
  return rewritten(error, (text) => text.replaceAll(/(["'`]).*\1/gs, `$1${HIDDEN}$1`));
}

function rewritten(error: CdcError, rewrite: (text: string) => string): CdcError {
  const message = rewrite(error.message),
    fix = error.fix === null ? null : rewrite(error.fix);
  // The cause is left out: it says the same in clear.
  return new CdcError(error.code, message, {
    ...(error.where === null ? {} : { where: error.where }),
    ...(fix === null ? {} : { fix }),
    retriable: error.retriable,
  });
}

function own(row: Row | null, column: string): Value | undefined {
  return row !== null && Object.hasOwn(row, column) ? row[column] : undefined;
}

function collect(value: Value | undefined, into: Set<string>): void {
  if (value === undefined || value === null || value === '' || typeof value === 'boolean') return;
  if (typeof value !== 'object') into.add(String(value));
  else if (value instanceof JsonText) {
    collect(value.text, into);
    collect(value.parse() as Value, into);
  } else if (value instanceof Uint8Array)
    for (const form of ['hex', 'base64', 'utf8'] as const) collect(Buffer.from(value).toString(form), into);
  else for (const item of Object.values(value)) collect(item as Value, into);
}

function hide(text: string, value: string): string {
  if (value.length >= MIN_LENGTH_ANYWHERE) return text.replaceAll(value, HIDDEN);
  const alone = new RegExp(`(?<![\\p{L}\\p{N}])${value.replaceAll(/[.*+?^${'$'}{}()|[\]\\]/g, '\\$&')}(?![\\p{L}\\p{N}])`, 'gu');
  return text.replaceAll(alone, HIDDEN);
}
