// A table that cannot be followed stops, the others go on. What is lost of it is said where dead letters are, once; then its changes are
// passed over until its rows are read again (`cdc-run snapshot`), and `status` says why.

import { CdcError, type Position } from '../../sdk/index.ts';
import type { Assembler } from './batches.ts';
import { ColumnType } from './binlog/column-type.ts';
import type { RowsEvent } from './binlog/events.ts';
import type { RowShape } from './binlog/row-shape.ts';
import type { ReadingOptions } from './reading-options.ts';
import { nameOfTable } from './schemas.ts';

type Named = { readonly database: string; readonly table: string };

const { blob, tinyBlob, mediumBlob, longBlob, json, geometry, blobCompressed, vector } = ColumnType;
/** What NOBLOB leaves out. */
const LARGE: ReadonlySet<number> = new Set([blob, tinyBlob, mediumBlob, longBlob, json, geometry, blobCompressed, vector]);

export class TableStops {
  readonly #o: ReadingOptions;
  readonly #assembler: Assembler;
  #version: number;

  constructor(options: ReadingOptions, assembler: Assembler) {
    this.#o = options;
    this.#assembler = assembler;
    this.#version = options.stopped.version;
  }

  has(table: Named): boolean {
    return this.#o.stopped.has(nameOfTable(table));
  }

  /** Somebody has stopped a table, or follows one again. */
  look(): void {
    if (this.#version === this.#o.stopped.version) return;
    this.#version = this.#o.stopped.version;
    this.#assembler.forgetAll();
  }

  /** `place`: of the change that cannot be read. In doubt it is read again, and stops the table again. */
  async stop(table: Named, place: Position, why: string): Promise<void> {
    const name = nameOfTable(table),
      { stopped, ctx, where, logger, snapshots } = this.#o;
    if (stopped.has(name)) return;
    const error = new CdcError('SOURCE_DATA_INVALID', `The table ${name} is stopped, the others go on: ${why}`, {
      where,
      fix: `Remove the cause, then run \`cdc-run snapshot --tables ${name}\`: all its rows are read again, and it is followed from there on.`,
    });
    logger.error('a table is stopped', { table: name, place, reason: why });
    // Invariant 3: said before anything of it is passed over.
    await ctx.reject(`changes of ${name} from here on`, place, error);
    await stopped.stop(name, place, why);
    snapshots?.stop(name, why);
    this.look();
  }

  /** `binlog_row_image` of the configuration: what images must have at least. */
  isRefused({ before, after }: RowsEvent): boolean {
    return (before !== null && this.#lacks(before)) || (after !== null && this.#lacks(after));
  }

  #lacks(shape: RowShape): boolean {
    const { rowImage } = this.#o;
    if (shape.isWhole || rowImage === 'MINIMAL') return false;
    return rowImage === 'FULL' || shape.table.columns.some((c, i) => !LARGE.has(c.type) && !shape.columns.includes(i));
  }
}
