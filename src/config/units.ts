// Texts with units: durations, sizes, cron patterns, time zones. Pure, except that croner is loaded for the patterns.

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_BYTES: { readonly [unit: string]: number } = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const DURATION_PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/;
const SIZE_PATTERN = /^(\d+(?:\.\d+)?) ?([kmgt]i?b|b)?$/i;

/** `30s` → 30000, `200ms` → 200, `30` → 30 of `unit`; `null` when it is no duration. Milliseconds. */
export function parseDuration(value: number | string, unit: 'ms' | 's'): number | null {
  const match = DURATION_PATTERN.exec(String(value).trim());
  if (match === null) return null;
  const ms = Number(match[1]) * DURATION_MS[(match[2] ?? unit) as keyof typeof DURATION_MS];
  return Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : null;
}

/** `90000` → `90s`, for messages. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms >= DURATION_MS[unit] && ms % DURATION_MS[unit] === 0) return `${ms / DURATION_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}

/** `10MB` → 10000000, `64KiB` → 65536, `512` → 512; `null` when it is no size. Bytes. */
export function parseSize(value: number | string): number | null {
  const match = SIZE_PATTERN.exec(String(value).trim());
  if (match === null) return null;
  const bytes = Math.floor(Number(match[1]) * (SIZE_BYTES[(match[2] ?? 'b').toLowerCase()] ?? 1));
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** What is wrong with a cron pattern, or `null`. A pattern that never comes is wrong too. */
export async function cronProblem(pattern: string): Promise<string | null> {
  const { Cron } = await import('croner');
  try {
    const cron = new Cron(pattern, { paused: true, timezone: 'UTC' });
    // Looked at from a fixed day, so that the answer does not depend on today.
    return cron.nextRun(new Date(0)) === null ? 'it never comes' : null;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
  }
}

/** Is this a time zone of the IANA database? */
export function isTimezone(name: string): boolean {
  // The default is known without asking: the first look into the time zone tables costs the process 8 MB.
  if (name === 'UTC') return true;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
