// Values of options, checked where they enter: each parser throws `USAGE_INVALID` with the value it was given. Pure.

import type { Op } from '../sdk/change-event.ts';
import { CdcError } from '../sdk/errors.ts';
import { LOG_LEVELS, type LogLevel } from '../sdk/logger.ts';
import { systemClock } from '../sdk/ports.ts';

export const LOG_FORMATS = ['auto', 'json', 'pretty'] as const;

export function usageError(message: string, fix: string): CdcError {
  return new CdcError('USAGE_INVALID', message, { where: 'command line', fix });
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** `sync.mode=one_time`: a path, `=`, a value (which may be empty and may hold `=`). */
export function parseSet(value: string, before: readonly string[]): readonly string[] {
  if (!/^[^=\s][^=]*=/.test(value)) {
    throw usageError(
      `--set ${JSON.stringify(value)} is not path=value`,
      'Write it like `--set sync.mode=one_time` or `--set sources[0].path=shop.db`.',
    );
  }
  return [...before, value];
}

export function parseLimit(value: string): number {
  const limit = /^\d[\d_]*$/.test(value) ? Number(value.replaceAll('_', '')) : Number.NaN;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw usageError(`--limit ${JSON.stringify(value)} is not a positive whole number`, 'Write it like `--limit 1000`.');
  return limit;
}

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A date, or how long ago: milliseconds since the epoch. */
export function parseBefore(value: string, _before?: unknown, nowMs: number = systemClock.now()): number {
  const ago = /^(\d+)([smhd])$/.exec(value);
  const ms =
    ago === null
      ? /^\d{4}-/.test(value)
        ? Date.parse(value)
        : Number.NaN
      : nowMs - Number(ago[1]) * UNITS_MS[ago[2] as keyof typeof UNITS_MS];
  if (Number.isNaN(ms))
    throw usageError(
      `--before ${JSON.stringify(value)} is not a time`,
      'Write it like `--before 2026-01-31`, `--before 2026-01-31T12:00Z` or `--before 30d`.',
    );
  return ms;
}

export function parseChoice<T extends string>(option: string, choices: readonly T[]): (value: string) => T {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw usageError(`${option} ${JSON.stringify(value)} is not known`, `Use one of: ${choices.join(', ')}.`);
    return found;
  };
}

const OPS: readonly Op[] = ['c', 'u', 'd', 'r', 't', 'm', 's'];

/** `u,d` */
export function parseOps(value: string): readonly Op[] {
  return value.split(',').map((text) => parseChoice('--op', OPS)(text.trim()));
}

/** `items,public.orders`; may be repeated. */
export function parseNames(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, ...value.split(',').map((name) => name.trim())].filter((name) => name !== '');
}

/** `--log-level` before `LOG_LEVEL` before `info`. A wrong `LOG_LEVEL` is an error too: it was meant. */
export function logLevelOf(option: LogLevel | null, env: string | undefined): LogLevel {
  if (option !== null) return option;
  if (env === undefined || env === '') return 'info';
  return parseChoice('LOG_LEVEL', LOG_LEVELS)(env.toLowerCase());
}
