// When a message happened, as one of its fields tells: `watermark`. Pure.
//
// | type, unit | field | ms since 1970 |
// |---|---|---|
// | timestamp | `"2024-02-29T12:34:56.789Z"` | 1709210096789 |
// | timestamp | `"2024-02-29 12:34:56"` (no zone: UTC) | 1709210096000 |
// | timestamp, s | `1709210096` | 1709210096000 |
// | integer, us | `1709210096789123` | 1709210096789 |
// | any | nothing, or what is no time | none: the time of the record counts |

import type { Row, Value } from '../../../sdk/index.ts';
import type { ConsumingConfig } from './config.ts';

type Watermark = NonNullable<ConsumingConfig['watermark']>;

const PER_MS: Readonly<Record<Watermark['unit'], number>> = { s: 1 / 1000, ms: 1, us: 1000, ns: 1_000_000 };
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(Z|[+-]\d\d:?(?:\d\d)?)?$/;

export function eventTimeMs({ column, type, unit }: Watermark, row: Row | null): number | null {
  const value: Value | undefined = row === null ? undefined : row[column];
  if (typeof value === 'number' || typeof value === 'bigint') return finite(Number(value) / PER_MS[unit]);
  if (type !== 'timestamp' || typeof value !== 'string') return null;
  const [, zone] = TIME.exec(value) ?? [null];
  if (zone === null) return null;
  return finite(Date.parse(`${value.replace(' ', 'T')}${zone === undefined && value.length > 10 ? 'Z' : ''}`));
}

const finite = (ms: number): number | null => (Number.isFinite(ms) ? Math.trunc(ms) : null);
