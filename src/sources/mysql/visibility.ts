// Which transactions of the stream a read has seen, by what the server can tell (facts: the visibility gap).
//
// | server | S is told by | a transaction is seen when |
// |---|---|---|
// | MariaDB | the place that its consistent snapshot says, exactly | it begins before that place |
// | MySQL with GTIDs | `gtid_executed` from before S | its GTID is in there |
// | MySQL without | the time of S less a margin | it was streamed before that |

import type { Visibility } from '../../snapshot/types.ts';
import { MysqlGtidSet } from './gtid-set.ts';

/** A transaction as it was streamed. */
export interface StreamedId {
  readonly gtid: string;
  /** Where it begins, as a number that grows with the log. */
  readonly place: bigint;
  readonly atMs: number;
}

/** What a read has seen, or had been streamed; only the parts that the server's kind needs. */
export interface SeenPoint {
  readonly place: bigint;
  readonly done: MysqlGtidSet;
  readonly atMs: number;
}

export type VisibilityKind = 'place' | 'gtids' | 'margin';

export function parseGtid(text: string): { readonly uuid: string; readonly tag: string; readonly gno: number } | null {
  const parts = text.split(':'),
    gno = Number(parts.at(-1));
  if (parts.length < 2 || !Number.isSafeInteger(gno)) return null;
  return { uuid: parts[0] as string, tag: parts.length === 3 ? (parts[1] as string) : '', gno };
}

export function visibilityOf(kind: VisibilityKind): Visibility<StreamedId, SeenPoint, SeenPoint> {
  switch (kind) {
    case 'place':
      return { sees: (seen, id) => id.place < seen.place, passes: (seen, bound) => seen.place >= bound.place };
    case 'gtids':
      return {
        sees: ({ done }, { gtid }) => {
          const id = parseGtid(gtid);
          return id !== null && done.contains(id.uuid, id.tag, id.gno);
        },
        passes: (seen, bound) => seen.done.containsSet(bound.done),
      };
    case 'margin':
      return { sees: (seen, id) => id.atMs <= seen.atMs, passes: (seen, bound) => seen.atMs >= bound.atMs };
  }
}

export const setOf = (text: string): MysqlGtidSet => MysqlGtidSet.parse(text) ?? new MysqlGtidSet();
