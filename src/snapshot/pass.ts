// Tables without a usable key: all their rows in one read, held open until it has its place in the stream. There the stream stops
// until all rows are out. Its place is exact when the stream has passed H and no newer transaction has touched the tables:
// otherwise another snapshot is taken. Not resumable.

import type { TableRun } from './table-run.ts';
import type { PassDropped, PassDue, PassJob, Visibility } from './types.ts';

interface Current<Row, Id, Seen, Bound> {
  readonly job: PassJob;
  /** Whose rows are not all out. */
  readonly tables: Map<string, TableRun<Row, Id, Seen, Bound>>;
  state: 'opening' | 'open' | 'emitting' | 'spoiled';
  opened: { readonly seen: Seen; readonly h: bigint } | null;
}

export class WholePass<Row, Id, Seen, Bound> {
  readonly #visibility: Visibility<Id, Seen, Bound>;
  #current: Current<Row, Id, Seen, Bound> | null = null;
  #attempts = 0;

  constructor(visibility: Visibility<Id, Seen, Bound>) {
    this.#visibility = visibility;
  }

  get isEmitting(): boolean {
    return this.#current?.state === 'emitting';
  }

  next(tables: readonly TableRun<Row, Id, Seen, Bound>[], newId: () => number): PassJob | null {
    if (this.#current !== null || tables.length === 0 || tables.some((t) => t.bound === null)) return null;
    const job: PassJob = {
      kind: 'pass',
      id: newId(),
      attempt: this.#attempts,
      tables: tables.map((t) => ({ name: t.table, where: t.where })),
    };
    for (const t of tables) t.passJob = job.id;
    this.#current = { job, tables: new Map(tables.map((t) => [t.table, t])), state: 'opening', opened: null };
    return job;
  }

  open(job: PassJob, opened: { readonly seen: Seen; readonly h: bigint }): boolean {
    const current = this.#current;
    if (current?.job.id !== job.id) return false;
    const isAccepted = [...current.tables.values()].every((t) => t.bound !== null && this.#visibility.passes(opened.seen, t.bound));
    if (current.state !== 'opening' || !isAccepted) {
      this.#tryAgain();
      return false;
    }
    current.state = 'open';
    current.opened = opened;
    return true;
  }

  due(position: bigint): PassDue | PassDropped | null {
    const current = this.#current;
    if (current === null || current.opened === null || (current.opened.h > position && current.state === 'open')) return null;
    const { job, opened, tables } = current;
    const isNewer = (id: Id): boolean => !this.#visibility.sees(opened.seen, id);
    if (current.state === 'spoiled' || [...tables.values()].some((t) => t.touches.filter((x) => isNewer(x.id)).length > 0)) {
      this.#tryAgain();
      return { kind: 'drop_pass', job };
    }
    current.state = 'emitting';
    this.#attempts = 0;
    return { kind: 'pass', job };
  }

  /** Do rows of this table count? */
  take(job: PassJob, t: TableRun<Row, Id, Seen, Bound>, isEnd: boolean): boolean {
    const current = this.#current;
    if (current?.job.id !== job.id || current.state !== 'emitting' || !current.tables.has(t.table)) return false;
    if (isEnd) this.#leave(current, t);
    return true;
  }

  /** What is known of the table's events is gone, or its run is another one. */
  spoil(t: TableRun<Row, Id, Seen, Bound>): void {
    const current = this.#current;
    if (current === null || !current.tables.has(t.table)) return;
    if (current.state === 'emitting') this.#leave(current, t);
    else current.state = 'spoiled';
  }

  /** The transaction is gone. Returns the tables whose rows are not all out. */
  end(job: PassJob): TableRun<Row, Id, Seen, Bound>[] {
    const current = this.#current;
    if (current?.job.id !== job.id) return [];
    this.#tryAgain();
    return [...current.tables.values()];
  }

  #leave(current: Current<Row, Id, Seen, Bound>, t: TableRun<Row, Id, Seen, Bound>): void {
    current.tables.delete(t.table);
    t.passJob = null;
    if (current.tables.size === 0) this.#current = null;
  }

  #tryAgain(): void {
    for (const t of this.#current?.tables.values() ?? []) t.passJob = null;
    this.#current = null;
    this.#attempts++;
  }
}
