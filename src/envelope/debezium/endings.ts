// The end of the payload, after the source block: op, times of processing and transaction. The same for all events of a
// batch but for the transaction itself, so each piece is prepared once per batch, when an event needs it: a batch may have one.

import { type Fixed, fixedOf } from '../fixed.ts';
import { jsonString } from '../json.ts';
import { timesText } from './source-block.ts';

export type RowOp = 'c' | 'u' | 'd' | 'r' | 't';

/** Of the events of one operation. */
export class Ending {
  /** What stands before and after the transaction block. */
  readonly #before: string;
  readonly #after: string;
  #whole: Fixed | null = null;
  #beforeFixed: Fixed | null = null;
  #afterFixed: Fixed | null = null;
  #id = '';
  #start: Fixed | null = null;

  /** Debezium has the transaction before `op`, we have it last. */
  constructor(op: RowOp, ms: number, compatible: boolean) {
    const before = ',"transaction":',
      times = `,"op":"${op}","ts_ms":${timesText(ms, '')}`;
    this.#before = compatible ? before : times + before;
    this.#after = compatible ? `${times},"ts_us":${timesText(ms, '000')},"ts_ns":${timesText(ms, '000000')}}` : '}';
  }

  /** All of it, when there is no transaction block. */
  get whole(): Fixed {
    this.#whole ??= fixedOf(`${this.#before}null${this.#after}`);
    return this.#whole;
  }

  get before(): Fixed {
    this.#beforeFixed ??= fixedOf(this.#before);
    return this.#beforeFixed;
  }

  get after(): Fixed {
    this.#afterFixed ??= fixedOf(this.#after);
    return this.#afterFixed;
  }

  /** Up to the order in the transaction: the same for all events of one operation in it. */
  transactionStart(id: string): Fixed {
    if (this.#start === null || id !== this.#id) {
      this.#id = id;
      this.#start = fixedOf(`${this.#before}{"id":${jsonString(id)},"total_order":`);
    }
    return this.#start;
  }
}

/** Those of one batch. */
export class Endings {
  readonly #ms: number;
  readonly #compatible: boolean;
  readonly #known = new Map<RowOp, Ending>();
  #lastOp: RowOp | null = null;
  #last: Ending | null = null;

  constructor(ms: number, compatible: boolean) {
    this.#ms = ms;
    this.#compatible = compatible;
  }

  of(op: RowOp): Ending {
    if (op === this.#lastOp) return this.#last as Ending;
    let ending = this.#known.get(op);
    if (ending === undefined) {
      ending = new Ending(op, this.#ms, this.#compatible);
      this.#known.set(op, ending);
    }
    this.#lastOp = op;
    this.#last = ending;
    return ending;
  }
}
