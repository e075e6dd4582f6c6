// Decimals → the bytes of their unscaled integer.

import { atScale, bytesOfInteger, parseDecimal, shortUnscaled } from '../../envelope/decimal.ts';
import type { Value } from '../../sdk/index.ts';
import { Unfit, unfit } from '../unfit.ts';

const scratch = Buffer.alloc(8);

/** The shortest two's complement of a decimal at a scale. The bytes are written over by the next call. */
export function unscaledBytes(value: Value, scale: number): Uint8Array {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  if (typeof text !== 'string') throw unfit('a decimal', value);
  const short = shortUnscaled(text, scale);
  if (!Number.isNaN(short)) return shortBytes(short);
  const parsed = parseDecimal(text);
  if (parsed === null) throw new Unfit('', 'expected a decimal, got a text that is none');
  const unscaled = atScale(parsed, scale);
  if (unscaled === null) throw new Unfit('', `the decimal has more than ${scale} digits after the point`);
  return bytesOfInteger(unscaled);
}

function shortBytes(n: number): Uint8Array {
  let length = 1;
  for (let limit = 128; n < -limit || n >= limit; limit *= 256) length++;
  scratch.writeIntBE(n, 0, length);
  return scratch.subarray(0, length);
}
