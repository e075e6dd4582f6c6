// Types of which polling knows the order.

/** Oids of built-in types. */
export const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23, 26]),
  XID8 = 5069,
  DATES: ReadonlySet<number> = new Set([1082, 1114, 1184]),
  UUID = 2950,
  TEXTS: ReadonlySet<number> = new Set([25, 1043, 19]);
