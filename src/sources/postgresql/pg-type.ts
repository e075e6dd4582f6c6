// A type as the server's catalog describes it, and its spelling in SQL with the modifier of a column.

/** What `pg_type` and its relatives say. https://www.postgresql.org/docs/current/catalog-pg-type.html */
export interface PgType {
  readonly oid: number;
  /** `typname`: `int4`, `_int4`, `mood`. */
  readonly name: string;
  /** `format_type(oid, NULL)`: `integer`, `integer[]`, `mood`. */
  readonly formatted: string;
  /** `typtype`: base, enum, domain, composite, range, multirange, pseudo. */
  readonly kind: 'b' | 'e' | 'd' | 'c' | 'r' | 'm' | 'p';
  /** `typcategory`; `A` for arrays. */
  readonly category: string;
  /** `typelem` of an array, else 0. */
  readonly element: number;
  /** `typdelim`: `,`, but `;` for boxes. */
  readonly delimiter: string;
  /** `typbasetype` and `typtypmod` of a domain, else 0 and -1. */
  readonly base: number;
  readonly typmod: number;
  /** Of an enum, in order. */
  readonly labels: readonly string[];
  /** Of a composite, in order, without dropped ones. */
  readonly fields: readonly { readonly name: string; readonly typeOid: number; readonly typmod: number }[];
}

/** Types by oid. Loaded before the first row of a relation that has them. */
export type PgTypes = ReadonlyMap<number, PgType>;

/** `numeric` and texts count their own header in the modifier. */
const HEADER = 4;
const SCALE_BITS = 11;
const FULL_PRECISION = 0xffff,
  FULL_RANGE = 0x7fff;

/** The parts of a modifier that a column description has. */
export interface Modifier {
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
}

/** `numeric`, 786438 → precision 12, scale 2. From numerictypmodin, varchartypmodin, timestamptypmodin and their like. */
export function modifierOf(name: string, typmod: number): Modifier {
  if (typmod < 0) return {};
  switch (name) {
    case 'numeric': {
      const packed = typmod - HEADER,
        low = packed & ((1 << SCALE_BITS) - 1);
      return { precision: (packed >> 16) & 0xffff, scale: (low << (32 - SCALE_BITS)) >> (32 - SCALE_BITS) };
    }
    case 'varchar':
    case 'bpchar':
      return { length: typmod - HEADER };
    case 'bit':
    case 'varbit':
      return { length: typmod };
    case 'time':
    case 'timetz':
    case 'timestamp':
    case 'timestamptz':
      return { precision: typmod };
    case 'interval':
      return (typmod & 0xffff) === FULL_PRECISION ? {} : { precision: typmod & 0xffff };
    default:
      return {};
  }
}

/** Bits of the fields of an interval, as in utils/datetime.h: INTERVAL_MASK(YEAR) is 1 << 2. */
const YEAR = 1 << 2,
  MONTH = 1 << 1,
  DAY = 1 << 3,
  HOUR = 1 << 10,
  MINUTE = 1 << 11,
  SECOND = 1 << 12;
const RANGES: ReadonlyMap<number, string> = new Map([
  [YEAR, ' year'],
  [MONTH, ' month'],
  [DAY, ' day'],
  [HOUR, ' hour'],
  [MINUTE, ' minute'],
  [SECOND, ' second'],
  [YEAR | MONTH, ' year to month'],
  [DAY | HOUR, ' day to hour'],
  [DAY | HOUR | MINUTE, ' day to minute'],
  [DAY | HOUR | MINUTE | SECOND, ' day to second'],
  [HOUR | MINUTE, ' hour to minute'],
  [HOUR | MINUTE | SECOND, ' hour to second'],
  [MINUTE | SECOND, ' minute to second'],
]);

/** As `format_type(oid, typmod)` spells the built-in types: `numeric(12,2)`, `time(3) without time zone`. Others without modifier. */
export function spell(type: Pick<PgType, 'name' | 'formatted'>, typmod: number): string {
  const { name, formatted } = type;
  if (typmod < 0) return formatted;
  const { length, precision, scale } = modifierOf(name, typmod);
  if (name === 'numeric') return `numeric(${precision},${scale})`;
  if (length !== undefined) return `${formatted}(${length})`;
  if (name === 'interval') {
    const range = (typmod >> 16) & FULL_RANGE;
    return `interval${range === FULL_RANGE ? '' : (RANGES.get(range) ?? '')}${precision === undefined ? '' : `(${precision})`}`;
  }
  // `time without time zone` → `time(3) without time zone`
  return precision === undefined ? formatted : formatted.replace(/^(timestamp|time)/, `$1(${precision})`);
}
