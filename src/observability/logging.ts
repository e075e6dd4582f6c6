// Where log lines go and how they look: JSON lines for machines, short coloured lines for people. Implements the SDK's Logger.
// Redaction happens here, once, for every line (see redact.ts).

import pc from 'picocolors';
import type { LogFields, Logger, LogLevel } from '../sdk/logger.ts';
import type { Clock } from '../sdk/ports.ts';
import { printable } from './printable.ts';
import { redact, redactText } from './redact.ts';

export type LogFormat = 'json' | 'pretty';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly clock: Clock;
  /** Takes one whole line, newline included. */
  readonly write: (line: string) => void;
  readonly color: boolean;
}

/** What is written first comes first in each line; then the fields in the order given. */
interface Line {
  readonly tsMs: number;
  readonly level: LineLevel;
  readonly message: string;
  readonly fields: LogFields;
}

type LineLevel = Exclude<LogLevel, 'silent'>;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

export function createLogger(options: LoggerOptions): Logger {
  const format = options.format === 'json' ? formatJson : prettyFormatter(options.color);
  const emit = (level: LineLevel, message: string, fields: LogFields): void => {
    if (RANK[level] < RANK[options.level]) return;
    options.write(`${format({ tsMs: options.clock.now(), level, message, fields })}\n`);
  };
  return loggerWith({}, emit);
}

type Emit = (level: LineLevel, message: string, fields: LogFields) => void;

function loggerWith(base: LogFields, emit: Emit): Logger {
  const at =
    (level: LineLevel) =>
    (message: string, fields?: LogFields): void => {
      emit(level, message, fields === undefined ? base : { ...base, ...fields });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => loggerWith({ ...base, ...fields }, emit),
  };
}

/** `{"ts":"2026-01-02T03:04:05.678Z","level":"info","msg":"started","pipeline":"orders"}` */
function formatJson(line: Line): string {
  const fields = redact(line.fields) as Record<string, unknown>;
  return JSON.stringify({ ts: new Date(line.tsMs).toISOString(), level: line.level, msg: redactText(line.message), ...reserved(fields) });
}

/** A field must not overwrite the line's own: it gets a trailing underscore. */
function reserved(fields: Record<string, unknown>): Record<string, unknown> {
  if (!('ts' in fields || 'level' in fields || 'msg' in fields)) return fields;
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [['ts', 'level', 'msg'].includes(key) ? `${key}_` : key, value]));
}

const LEVEL_LABEL: Readonly<Record<LineLevel, string>> = { debug: 'debug', info: 'info ', warn: 'warn ', error: 'error' };

/**
 * ```
 * 03:04:05 warn  orders · replica: the destination cannot be reached, waiting for it (attempt=1)
 *          DESTINATION_UNREACHABLE: connect ECONNREFUSED 127.0.0.1:5432
 *          fix: Start the server.
 * ```
 */
function prettyFormatter(color: boolean): (line: Line) => string {
  const c = pc.createColors(color);
  const paint: Readonly<Record<LineLevel, (text: string) => string>> = { debug: c.dim, info: c.cyan, warn: c.yellow, error: c.red };
  return ({ tsMs, level, message, fields }) => {
    const { pipeline, component, error, code, fix, ...rest } = redact(fields) as Record<string, unknown>;
    const origin = [pipeline, component].filter((part) => typeof part === 'string').join(' · ');
    const time = new Date(tsMs).toISOString().slice(11, 19);
    const head = `${c.dim(time)} ${paint[level](LEVEL_LABEL[level])} ${origin === '' ? '' : `${c.bold(origin)}: `}${printable(redactText(message))}`;
    const extra = Object.entries(rest)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${scalar(value)}`);
    const tail = extra.length === 0 ? '' : ` ${c.dim(`(${extra.join(' ')})`)}`;
    return [`${head}${tail}`, ...errorLines({ code, error, fix }, c.dim)].join(INDENT);
  };
}

/** Beneath the message: as wide as the time. */
const INDENT = '\n         ';

function scalar(value: unknown): string {
  if (typeof value === 'string') return /[\s"=()]/.test(value) ? JSON.stringify(value) : printable(value);
  return JSON.stringify(value) ?? 'undefined';
}

/** An error gets lines of its own: what, then how to fix it. It comes as an object, or as fields `code`, `error` and `fix`. */
function errorLines(
  fields: { readonly code: unknown; readonly error: unknown; readonly fix: unknown },
  dim: (text: string) => string,
): string[] {
  const { code, message, fix } =
    typeof fields.error === 'object' && fields.error !== null
      ? (fields.error as { code?: unknown; message?: unknown; fix?: unknown })
      : { code: fields.code, message: fields.error, fix: fields.fix };
  const what = [code, message].filter((part) => typeof part === 'string').join(': ');
  return [
    ...(what === '' ? [] : [printable(what).replaceAll('\n', INDENT)]),
    ...(typeof fix === 'string' ? [dim(`fix: ${printable(fix)}`)] : []),
  ];
}
