// What the schema says beyond JSON Schema: texts that came from variables become numbers and booleans where those are wanted
// (before validation); durations, sizes, cron patterns and time zones are read (after it).

import type { ConfigDocument } from './document.ts';
import { isMapping } from './document.ts';
import { formatPath, type Path } from './issue.ts';
import { describeFound } from './messages.ts';
import { branches, isSecret, type JsonSchema, schemasOfItem, schemasOfKey, wantedTypes } from './schema-walk.ts';
import { cronProblem, formatDuration, isTimezone, parseDuration, parseSize } from './units.ts';

type Visit = (value: unknown, schemas: readonly JsonSchema[], path: Path) => unknown;

/** Calls `visit` for every value that is neither list nor mapping, and puts its answer in the value's place. */
function replaceLeaves(value: unknown, schemas: readonly JsonSchema[], path: Path, visit: Visit): unknown {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      value[i] = replaceLeaves(
        item,
        schemas.flatMap((schema) => schemasOfItem(schema, i)),
        [...path, i],
        visit,
      );
    }
    return value;
  }
  if (isMapping(value)) {
    for (const [key, item] of Object.entries(value)) {
      value[key] = replaceLeaves(
        item,
        schemas.flatMap((schema) => schemasOfKey(schema, key)),
        [...path, key],
        visit,
      );
    }
    return value;
  }
  return visit(value, schemas, path);
}

/**
 * `"5432"` out of `${PORT}` → 5432 where the schema wants an integer. Texts that stand in the file are left alone: there a
 * number needs no quotes. Also notes the secrets, so that no later message holds one.
 */
export function coerceVariables(value: unknown, schema: JsonSchema, path: Path, document: ConfigDocument): unknown {
  return replaceLeaves(value, [schema], path, (leaf, schemas, at) => {
    if (typeof leaf !== 'string') return leaf;
    if (isSecret(schemas)) document.addSecret(leaf);
    return document.references(at) === null ? leaf : coerceText(leaf, schemas);
  });
}

function coerceText(text: string, schemas: readonly JsonSchema[]): unknown {
  const wanted = new Set(schemas.flatMap((schema) => [...wantedTypes(schema)]));
  if (wanted.has('string') || wanted.size === 0) return text;
  const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (wanted.has('number') && Number.isFinite(number)) return number;
  if (wanted.has('integer') && Number.isSafeInteger(number)) return number;
  if (wanted.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** `30s` → 30000, `8MiB` → 8388608; cron patterns and time zones are checked. */
export async function resolveUnits(value: unknown, schema: JsonSchema, path: Path, document: ConfigDocument): Promise<unknown> {
  const crons: Promise<void>[] = [];
  const resolved = replaceLeaves(value, [schema], path, (leaf, schemas, at) => {
    if (typeof leaf !== 'string' && typeof leaf !== 'number') return leaf;
    const special = schemas.flatMap(branches);
    const duration = special.find((candidate) => candidate['x-duration'] !== undefined);
    if (duration !== undefined) return resolveDuration(leaf, duration, at, document);
    if (special.some((candidate) => candidate['x-size'])) return resolveSize(leaf, at, document);
    if (typeof leaf !== 'string') return leaf;
    if (special.some((candidate) => candidate['x-cron'])) crons.push(checkCron(leaf, at, document));
    if (special.some((candidate) => candidate['x-timezone'])) checkTimezone(leaf, at, document);
    return leaf;
  });
  await Promise.all(crons);
  return resolved;
}

function resolveDuration(leaf: string | number, schema: JsonSchema, path: Path, document: ConfigDocument): number {
  const unit = schema['x-duration'] ?? 's';
  const ms = parseDuration(leaf, unit);
  const found = describeFound(leaf, path, document, false);
  if (ms === null) {
    const expected = 'a duration such as `30s`, `5m` or `200ms`';
    const message = `${formatPath(path)} must be ${expected}, found ${found}`;
    document.problem({
      code: 'CONFIG_INVALID_DURATION',
      path,
      message,
      found,
      expected,
      fix: 'Write a number with a unit: ms, s, m, h or d.',
    });
    return 0;
  }
  const minimum = Math.max(0, ...branches(schema).map((branch) => branch.minimum ?? 0)) * (unit === 's' ? 1000 : 1);
  if (ms < minimum) {
    const expected = `at least ${formatDuration(minimum)}`;
    document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path,
      message: `${formatPath(path)} must be ${expected}, found ${found}`,
      found,
      expected,
    });
  }
  return ms;
}

function resolveSize(leaf: string | number, path: Path, document: ConfigDocument): number {
  const bytes = parseSize(leaf);
  if (bytes !== null) return bytes;
  const found = describeFound(leaf, path, document, false),
    expected = 'a size such as `64KiB`, `10MB` or `1GiB`';
  const message = `${formatPath(path)} must be ${expected}, found ${found}`;
  document.problem({
    code: 'CONFIG_INVALID_SIZE',
    path,
    message,
    found,
    expected,
    fix: 'Write a number with a unit: B, KB, MB, GB, KiB, MiB or GiB.',
  });
  return 0;
}

async function checkCron(pattern: string, path: Path, document: ConfigDocument): Promise<void> {
  const reason = await cronProblem(pattern);
  if (reason === null) return;
  const found = describeFound(pattern, path, document, false);
  // The reason quotes the pattern, which may not be shown when it came from a variable.
  const why = document.references(path) === null ? `: ${reason}` : '';
  const message = `${formatPath(path)} is not a cron pattern, found ${found}${why}`;
  document.problem({
    code: 'CONFIG_INVALID_CRON',
    path,
    message,
    found,
    expected: 'a cron pattern',
    fix: 'Write five fields, such as `*/15 * * * *`, or six with seconds first.',
  });
}

function checkTimezone(name: string, path: Path, document: ConfigDocument): void {
  if (isTimezone(name)) return;
  const found = describeFound(name, path, document, false);
  const message = `${formatPath(path)} must be a time zone, found ${found}`;
  document.problem({
    code: 'CONFIG_INVALID_CRON',
    path,
    message,
    found,
    expected: 'a time zone',
    fix: 'Write a name such as `UTC` or `Europe/Berlin`.',
  });
}
