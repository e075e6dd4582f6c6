// The end of the payload, after the source block: op, times of processing and transaction. The same for all events of a
// batch but for the transaction itself, so it is prepared once per batch.

import { type Fixed, fixedOf } from '../fixed.ts';
import { timesText } from './source-block.ts';

const OPS = ['c', 'u', 'd', 'r', 't'] as const;
export type RowOp = (typeof OPS)[number];

export interface Ending {
  /** All of it, when there is no transaction block. */
  readonly whole: Fixed;
  /** What stands before and after the transaction block. */
  readonly before: Fixed;
  readonly beforeTransaction: string;
  readonly after: Fixed;
  /** The end of the transaction block, too. */
  readonly afterTransaction: Fixed;
}

export interface Endings {
  readonly [op: string]: Ending;
}

/** Debezium has the transaction before `op`, we have it last. */
function ending(op: RowOp, ms: number, compatible: boolean): Ending {
  if (!compatible) {
    const before = `,"op":"${op}","ts_ms":${timesText(ms, '')},"transaction":`;
    return {
      whole: fixedOf(`${before}null}`),
      before: fixedOf(before),
      beforeTransaction: before,
      after: fixedOf('}'),
      afterTransaction: fixedOf('}}'),
    };
  }
  const after = `,"op":"${op}","ts_ms":${timesText(ms, '')},"ts_us":${timesText(ms, '000')},"ts_ns":${timesText(ms, '000000')}}`;
  return {
    whole: fixedOf(`,"transaction":null${after}`),
    before: fixedOf(',"transaction":'),
    beforeTransaction: ',"transaction":',
    after: fixedOf(after),
    afterTransaction: fixedOf(`}${after}`),
  };
}

export function endingsOf(ms: number, compatible: boolean): Endings {
  return Object.fromEntries(OPS.map((op) => [op, ending(op, ms, compatible)]));
}
