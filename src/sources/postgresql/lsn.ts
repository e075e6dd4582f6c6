// LSNs: byte positions in the write-ahead log, 64 bits. As `bigint` where it is convenient, as two 32-bit halves on the hot
// path, where a `bigint` per event would cost more than the decoding.
//
// | pg_lsn | bigint | hi, lo |
// |---|---|---|
// | `16/B374D848` | 97500059720n | 0x16, 0xB374D848 |
// | `0/0` | 0n | 0, 0: no position |
//
// https://www.postgresql.org/docs/current/datatype-pg-lsn.html

/** `16/B374D848` → 97500059720n; `null` when the text is no LSN. */
export function parseLsn(text: string): bigint | null {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text.trim());
  return match === null ? null : lsnOf(Number.parseInt(match[1] as string, 16), Number.parseInt(match[2] as string, 16));
}

/** An LSN as the server wrote it; a column that is NULL gives `null`. */
export function lsnColumn(value: string | null | undefined): bigint | null {
  return value === null || value === undefined ? null : parseLsn(value);
}

/** 97500059720n → `16/B374D848`, as the server prints it. */
export function formatLsn(lsn: bigint): string {
  return `${hiOf(lsn).toString(16).toUpperCase()}/${loOf(lsn).toString(16).toUpperCase()}`;
}

export function lsnOf(hi: number, lo: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

export function hiOf(lsn: bigint): number {
  return Number((lsn >> 32n) & 0xffff_ffffn);
}

export function loOf(lsn: bigint): number {
  return Number(lsn & 0xffff_ffffn);
}
