// CEL expressions over change events: compiled once, with errors that point at the place. https://cel.dev

import { TypeError as CelTypeError, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js';
import { type ChangeEvent, JsonText, type Row, type Value } from 'cdc-run/sdk';

/** A compiled expression. Throws `ExpressionError` when it cannot be evaluated for this event. */
export type Condition = (event: ChangeEvent) => boolean;

/** What is wrong with an expression, without data of the event. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}

const VARIABLES = ['op', 'table', 'schema', 'source', 'ts_ms', 'key', 'before', 'after', 'row', 'headers'] as const;

const TYPES: { readonly [variable: string]: string } = {
  op: 'string',
  table: 'string',
  source: 'string',
  ts_ms: 'int',
  headers: 'map<string, string>',
};

const ARITHMETIC: { readonly [operator: string]: (a: number, b: number) => number } = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
};

const environment = createEnvironment();

function createEnvironment(): Environment {
  const env = new Environment({ unlistedVariablesAreDyn: false, homogeneousAggregateLiterals: false, enableOptionalTypes: true });
  for (const name of VARIABLES) env.registerVariable(name, TYPES[name] ?? 'dyn');
  // CEL compares integers with doubles, but does not calculate with both. Which of the two a column is depends on its
  // type at the source, so `row.price * 2` must not.
  for (const [operator, apply] of Object.entries(ARITHMETIC)) {
    env.registerOperator(`double ${operator} int: double`, (a: number, b: bigint) => apply(a, Number(b)));
    env.registerOperator(`int ${operator} double: double`, (a: bigint, b: number) => apply(Number(a), b));
  }
  return env;
}

/** Compiles an expression. Throws `ExpressionError` with the line and a caret. */
export function compileCondition(expression: string): Condition {
  const evaluate = parse(expression);
  const scope = new Scope();
  return (event) => {
    scope.event = event;
    let result: unknown;
    try {
      result = evaluate(scope as never);
    } catch (error) {
      throw new ExpressionError(explain(error));
    }
    if (typeof result !== 'boolean') throw new ExpressionError(`the result is ${typeof result}, not true or false`);
    return result;
  };
}

function parse(expression: string): ReturnType<Environment['parse']> {
  try {
    const parsed = environment.parse(expression);
    const checked = parsed.check();
    if (!checked.valid) throw checked.error ?? new ExpressionError('it cannot be checked');
    if (checked.type !== 'bool' && checked.type !== 'dyn')
      throw new ExpressionError(`the result must be true or false, not ${checked.type}`);
    return parsed;
  } catch (error) {
    throw error instanceof ExpressionError ? error : new ExpressionError(explainWithCaret(error, expression));
  }
}

/** `No such key: amont at column 7`. Texts of the library hold names of the expression and types, no values of rows. */
function explain(error: unknown): string {
  if (!isCelError(error)) return error instanceof Error ? error.name : 'unknown error';
  // A key that was computed may be data: `after[after.name]`.
  const what = error.code === 'no_such_key' && !isLiteralKey(error) ? 'No such key' : error.summary;
  return error.range === undefined ? what : `${what} at column ${error.range.start + 1}`;
}

function explainWithCaret(error: unknown, expression: string): string {
  if (!isCelError(error) || error.range === undefined) return error instanceof Error ? error.message : String(error);
  const { start } = error.range,
    lineStart = expression.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = expression.indexOf('\n', start),
    line = expression.slice(lineStart, lineEnd === -1 ? undefined : lineEnd);
  return `${error.summary}\n  ${line}\n  ${' '.repeat(start - lineStart)}^`;
}

type CelError = ParseError | EvaluationError | CelTypeError;
function isCelError(error: unknown): error is CelError {
  return error instanceof ParseError || error instanceof EvaluationError || error instanceof CelTypeError;
}

function isLiteralKey(error: CelError): boolean {
  return error.node !== undefined && 'op' in error.node && error.node.op === '.';
}

/** The variables of an expression, taken from the event only when the expression asks for them: rows stay undecoded. */
class Scope {
  event!: ChangeEvent;
  get op(): string {
    return this.event.op;
  }
  get table(): string {
    return this.event.table.id.table;
  }
  get schema(): string | null {
    return this.event.table.id.schema;
  }
  get source(): string {
    return this.event.source;
  }
  get ts_ms(): bigint {
    return BigInt(Math.trunc(this.event.sourceTsMs));
  }
  get key(): Row | null {
    return plain(this.event.key);
  }
  get before(): Row | null {
    return plain(this.event.before);
  }
  get after(): Row | null {
    return plain(this.event.after);
  }
  get row(): Row | null {
    return plain(this.event.after ?? this.event.before);
  }
  get headers(): Record<string, string> {
    return this.event.headers ?? {};
  }
}

/** JSON in its source's text as what an expression can look into. */
function plain(row: Row | null): Row | null {
  let result = row;
  for (const name in row) {
    const value = row[name];
    if (value instanceof JsonText) result = { ...result, [name]: value.parse() as Value };
  }
  return result;
}
