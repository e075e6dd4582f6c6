// The rows of the generator: columns, and the image that makes a row up only when somebody looks at it.

import { type Column, type Row, RowImage, type TableSchema, type Value } from '../../sdk/index.ts';
import { hash } from './op-plan.ts';

const STATUSES = ['new', 'paid', 'packed', 'shipped', 'returned'] as const;
const FIRST_DAY_MS = Date.UTC(2025, 0, 1);
/** What a row takes as JSON without `payload`: names, quotes and the other values. */
const BASE_BYTES = 130;
const FILLER_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
/** Payloads are cut out of the filler at this many different places, so that neighbours differ. */
const FILLER_STARTS = 1021;

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'int64', nativeType: 'bigint', nullable: false },
  { name: 'seq', type: 'int64', nativeType: 'bigint', nullable: false },
  { name: 'amount', type: 'decimal', nativeType: 'decimal(12,2)', nullable: false, precision: 12, scale: 2 },
  { name: 'status', type: 'string', nativeType: 'text', nullable: false },
  { name: 'updated_at', type: 'timestamptz', nativeType: 'timestamptz', nullable: false, precision: 3 },
  { name: 'payload', type: 'string', nativeType: 'text', nullable: false },
];

export function generatedTable(name: string): TableSchema {
  return { id: { database: null, schema: null, table: name }, columns: COLUMNS, key: ['id'], version: 1 };
}

/** The time that event `n` has in its row: one millisecond per event. */
export function sequenceTimeMs(n: number): number {
  return FIRST_DAY_MS + n;
}

/** What all rows of a source share. */
export class RowRecipe {
  readonly seed: number;
  readonly #filler: string;
  readonly #payloadBytes: number;

  constructor(seed: number, rowBytes: number) {
    this.seed = seed;
    this.#payloadBytes = Math.max(0, rowBytes - BASE_BYTES);
    let filler = '';
    for (let i = 0; i < FILLER_STARTS + this.#payloadBytes; i++) filler += FILLER_ALPHABET[hash(seed, i) % FILLER_ALPHABET.length];
    this.#filler = Buffer.from(filler, 'latin1').toString('latin1'); // one flat string: cutting a rope would flatten it each time
  }

  payload(bits: number): string {
    const start = bits % FILLER_STARTS;
    return this.#filler.slice(start, start + this.#payloadBytes);
  }
}

/** A row that is not made yet: the row of event `n` of a partition, for the row key `id`. */
export class GeneratedRow extends RowImage {
  readonly #recipe: RowRecipe;
  readonly #n: number;
  readonly #id: number;

  constructor(recipe: RowRecipe, n: number, id: number) {
    super();
    this.#recipe = recipe;
    this.#n = n;
    this.#id = id;
  }

  override decode(): Row {
    const bits = this.#bits();
    return {
      id: BigInt(this.#id),
      seq: BigInt(this.#n),
      amount: amountOf(bits),
      status: statusOf(bits),
      updated_at: new Date(sequenceTimeMs(this.#n)).toISOString(),
      payload: this.#recipe.payload(bits),
    };
  }

  override column(name: string): Value | undefined {
    switch (name) {
      case 'id':
        return BigInt(this.#id);
      case 'seq':
        return BigInt(this.#n);
      case 'amount':
        return amountOf(this.#bits());
      case 'status':
        return statusOf(this.#bits());
      case 'updated_at':
        return new Date(sequenceTimeMs(this.#n)).toISOString();
      case 'payload':
        return this.#recipe.payload(this.#bits());
      default:
        return undefined;
    }
  }

  #bits(): number {
    return hash(this.#recipe.seed ^ this.#id, this.#n);
  }
}

/** The row before a delete: its key alone, as logs without before images have it. */
export class GeneratedKey extends RowImage {
  readonly #id: number;

  constructor(id: number) {
    super();
    this.#id = id;
  }

  override decode(): Row {
    return { id: BigInt(this.#id) };
  }
  override column(name: string): Value | undefined {
    return name === 'id' ? BigInt(this.#id) : undefined;
  }
}

function amountOf(bits: number): string {
  return `${(bits >>> 8) % 10_000}.${String(bits % 100).padStart(2, '0')}`;
}

function statusOf(bits: number): string {
  return STATUSES[(bits >>> 4) % STATUSES.length] as string;
}
