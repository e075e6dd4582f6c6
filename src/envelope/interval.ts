// Intervals as text (ISO-8601 durations and PostgreSQL's own style) → their parts.

export interface Interval {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

const NUMBER = '([+-]?\\d+(?:\\.\\d+)?)';
const ISO = new RegExp(
  `^(-?)P(?=.)(?:${NUMBER}Y)?(?:${NUMBER}M)?(?:${NUMBER}W)?(?:${NUMBER}D)?(?:T(?=.)(?:${NUMBER}H)?(?:${NUMBER}M)?(?:${NUMBER}S)?)?$`,
);
const POSTGRES = /^(?:([+-]?\d+) years?)? ?(?:([+-]?\d+) mons?)? ?(?:([+-]?\d+) days?)? ?(?:([+-]?)(\d+):(\d\d):(\d\d(?:\.\d+)?))?$/;

/**
 * | text | parts |
 * |---|---|
 * | `P1Y2M3DT4H5M6.789S` | 1 year, 2 months, 3 days, 4 h, 5 min, 6.789 s |
 * | `1 year 2 mons 3 days 04:05:06.789` | the same |
 * | `-00:00:01.5` | -1.5 s |
 *
 * `null` for other text.
 */
export function parseInterval(text: string): Interval | null {
  const iso = ISO.exec(text);
  if (iso !== null) {
    const part = (i: number): number => (iso[i] === undefined ? 0 : Number(iso[i]) * (iso[1] === '-' ? -1 : 1));
    return { years: part(2), months: part(3), days: part(4) * 7 + part(5), hours: part(6), minutes: part(7), seconds: part(8) };
  }
  const own = text === '' ? null : POSTGRES.exec(text);
  if (own === null) return null;
  const sign = own[4] === '-' ? -1 : 1;
  const part = (i: number): number => (own[i] === undefined ? 0 : Number(own[i]));
  return { years: part(1), months: part(2), days: part(3), hours: sign * part(5), minutes: sign * part(6), seconds: sign * part(7) };
}

const LONG_MAX = 0x7fffffffffffffffn;

/** Debezium's MicroDuration: a month is 365.25 / 12 days. In doubles and truncated, as Debezium computes it. */
export function microsOfInterval(i: Interval): string {
  const days = (i.years * 12 + i.months) * (365.25 / 12) + i.days;
  const seconds = ((days * 24 + i.hours) * 60 + i.minutes) * 60 + i.seconds;
  const micros = BigInt(Math.trunc(seconds * 1e6));
  // As Java's cast to a long.
  return `${BigInt.asIntN(64, micros) === micros ? micros : micros > 0n ? LONG_MAX : -LONG_MAX - 1n}`;
}

/** Debezium's Interval: all parts, also those that are 0. */
export function isoOfInterval(i: Interval): string {
  return `P${i.years}Y${i.months}M${i.days}DT${i.hours}H${i.minutes}M${i.seconds}S`;
}
