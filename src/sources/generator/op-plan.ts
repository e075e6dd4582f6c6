// Which operation on which key event n is: a closed form, so that reading resumes anywhere without history and updates and
// deletes still only meet keys that exist at that point. Pure.
//
// Keys are numbered in the order of their creation and deleted oldest first. So the keys alive after n events are the
// numbers [deleted, created), and both counts follow from n alone, because operations repeat a fixed order of 100.
//
// | keys | order of 100 | what holds |
// |---|---|---|
// | K | updates and pairs of delete, create | K keys alive at each update; number % K is the key, so a pair makes its key anew |
// | null | shuffled, creates first where it matters | at least one key alive at each update and delete |

export type PlannedOp = 'c' | 'u' | 'd';

export interface Mix {
  readonly create: number;
  readonly update: number;
  readonly delete: number;
}

const BLOCK = 100;

export class OpPlan {
  readonly #seed: number;
  /** Distinct keys, which are created first; 0 = unbounded. */
  readonly #keys: number;
  readonly #ops: readonly PlannedOp[];
  /** Creates and deletes in the block before each of its places. */
  readonly #createsBefore: readonly number[];
  readonly #deletesBefore: readonly number[];
  readonly #creates: number;
  readonly #deletes: number;

  constructor(seed: number, keys: number | null, mix: Mix) {
    this.#seed = seed;
    this.#keys = keys ?? 0;
    this.#ops = keys === null ? growingOrder(seed, mix) : boundedOrder(seed, mix);
    this.#createsBefore = countBefore(this.#ops, 'c');
    this.#deletesBefore = countBefore(this.#ops, 'd');
    this.#creates = this.#ops.filter((op) => op === 'c').length;
    this.#deletes = this.#ops.filter((op) => op === 'd').length;
  }

  /** The operation of event `n`, counted from 1. */
  op(n: number): PlannedOp {
    if (n <= this.#keys) return 'c';
    return this.#ops[(n - this.#keys - 1) % BLOCK] as PlannedOp;
  }

  /** The key number of event `n`, counted from 0. */
  key(n: number): number {
    const i = n - this.#keys - 1;
    if (i < 0) return n - 1;
    const block = Math.floor(i / BLOCK),
      place = i % BLOCK;
    const created = this.#keys + block * this.#creates + (this.#createsBefore[place] as number);
    const deleted = block * this.#deletes + (this.#deletesBefore[place] as number);
    const op = this.#ops[place];
    const number = op === 'c' ? created : op === 'd' ? deleted : deleted + (hash(this.#seed, n) % (created - deleted));
    return this.#keys === 0 ? number : number % this.#keys;
  }
}

/** 32 well-mixed bits of a seed and a number up to 2^53 (the finalizer of MurmurHash3). */
export function hash(seed: number, n: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (n | 0) ^ Math.imul((n / 0x100000000) | 0, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** As many creates as deletes, always delete before create: what the mix has more of either is sent as updates. */
function boundedOrder(seed: number, mix: Mix): PlannedOp[] {
  const pairs = Math.min(mix.create, mix.delete);
  const units: PlannedOp[][] = [...repeat<PlannedOp[]>(['d', 'c'], pairs), ...repeat<PlannedOp[]>(['u'], BLOCK - 2 * pairs)];
  return shuffle(units, seed).flat();
}

/** A create first, and, where every key is deleted again, a delete last; between them never more deletes than creates. */
function growingOrder(seed: number, mix: Mix): PlannedOp[] {
  const drains = mix.create === mix.delete;
  const middle = shuffle<PlannedOp>(
    [
      ...repeat<PlannedOp>('c', mix.create - 1),
      ...repeat<PlannedOp>('d', drains ? mix.delete - 1 : mix.delete),
      ...repeat<PlannedOp>('u', mix.update),
    ],
    seed,
  );
  return ['c', ...rotateToLowest(middle), ...(drains ? ['d' as const] : [])];
}

/** Rotated to begin after its lowest point, a sequence whose sum is not negative never goes below zero. */
function rotateToLowest(ops: readonly PlannedOp[]): PlannedOp[] {
  let level = 0,
    lowest = 0,
    start = 0;
  ops.forEach((op, i) => {
    level += op === 'c' ? 1 : op === 'd' ? -1 : 0;
    if (level < lowest) {
      lowest = level;
      start = i + 1;
    }
  });
  return [...ops.slice(start), ...ops.slice(0, start)];
}

function countBefore(ops: readonly PlannedOp[], counted: PlannedOp): number[] {
  let count = 0;
  return ops.map((op) => (op === counted ? count++ : count));
}

function shuffle<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = hash(seed, i) % (i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

function repeat<T>(item: T, times: number): T[] {
  return Array.from({ length: times }, () => item);
}
