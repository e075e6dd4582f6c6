// MySQL's own serialization of messages since 8.3: integers of one to nine bytes, whose first byte says by its trailing ones how
// many follow. https://dev.mysql.com/doc/dev/mysql-server/latest/PageLibsMysqlSerialization.html

import type { EventReader } from './reader.ts';

/**
 * | bytes | value |
 * |---|---|
 * | `0a` | 5 |
 * | `fb ff 07` | 65535 |
 * | `ff` and eight bytes | all 64 bits |
 */
export function varint(r: EventReader, what: string): bigint {
  const first = r.byte(what);
  let more = 0;
  while (more < 8 && ((first >> more) & 1) === 1) more++;
  if (more === 8) return r.bigUint64(what);
  let value = BigInt(first >> (more + 1));
  for (let i = 0; i < more; i++) value |= BigInt(r.byte(what)) << BigInt(8 * i + 7 - more);
  return value;
}

/** `x << 1`, of negative numbers `(-(x + 1) << 1) | 1`. */
export function signedVarint(r: EventReader, what: string): bigint {
  const n = varint(r, what);
  return (n & 1n) === 1n ? -(n >> 1n) - 1n : n >> 1n;
}

export function safeVarint(r: EventReader, what: string): number {
  return safe(r, varint(r, what), what);
}
export function safeSignedVarint(r: EventReader, what: string): number {
  return safe(r, signedVarint(r, what), what);
}

function safe(r: EventReader, n: bigint, what: string): number {
  const number = Number(n);
  return Number.isSafeInteger(number) ? number : r.fail(`${what} is ${n}`);
}
