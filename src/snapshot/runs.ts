// How runs of tables begin, go on under another name and end, and the progress that lanes are told of it: in the order in which
// it happened, before the events that made it so.

import type { SnapshotProgress } from '../sdk/index.ts';
import { formatRun, parseNotes, parseRun } from './progress.ts';
import { passBoundaries } from './settle.ts';
import type { RunInit, TableRun } from './table-run.ts';
import type { SnapshotOptions } from './types.ts';

type Options<Row, Id, Seen, Bound> = Pick<
  SnapshotOptions<Row, Id, Seen, Bound>,
  'source' | 'resume' | 'boundaries' | 'at' | 'repeatsUntil' | 'random'
>;

export class Runs<Row, Id, Seen, Bound> {
  readonly #o: Options<Row, Id, Seen, Bound>;
  /** What was read of the table, and what is known of the stream for it, is worth nothing any more. */
  readonly #forget: (t: TableRun<Row, Id, Seen, Bound>) => void;
  readonly #onNews: () => void;
  #pending: SnapshotProgress[] = [];
  /** Tables whose list has grown since their progress was taken, or that must go on under another name. */
  readonly #grown = new Set<TableRun<Row, Id, Seen, Bound>>();
  readonly #forking = new Set<TableRun<Row, Id, Seen, Bound>>();
  /** The stream has passed everything up to here. */
  position: bigint;

  constructor(options: Options<Row, Id, Seen, Bound>, forget: (t: TableRun<Row, Id, Seen, Bound>) => void, onNews: () => void) {
    this.#o = options;
    this.position = options.at;
    this.#forget = forget;
    this.#onNews = onNews;
  }

  /** Everybody has been told of everything. */
  get isTold(): boolean {
    return this.#pending.length === 0 && this.#forking.size === 0;
  }
  /** A destination may see events for the second time. */
  get mayRepeat(): boolean {
    return this.position < this.#o.repeatsUntil;
  }

  /** Progress that must be handed over before the events told since: a batch of its own, as a lane may cut one with events. */
  take(): SnapshotProgress[] {
    for (const t of this.#forking) this.#announce(t, () => t.fork(this.newRun(false)));
    for (const t of this.#grown) if (!this.#forking.has(t)) this.#announce(t, () => t.step());
    this.#forking.clear();
    this.#grown.clear();
    return this.#pending.splice(0);
  }

  newRun(isJoinable: boolean): string {
    return formatRun(this.position, Math.floor(this.#o.random() * 0x100000000).toString(16), isJoinable);
  }

  /** As the stored progress says, when reading begins. */
  start(t: TableRun<Row, Id, Seen, Bound>, onRequest: boolean): void {
    const { resume, boundaries, at, source } = this.#o,
      ahead = boundaries.filter((b) => b.table === t.table);
    const progress = resume.find((p) => p.table === t.table);
    if (onRequest && !(progress?.state === 'running' && parseNotes(progress).requested === true)) {
      // Not read, and no progress says so: destinations are not to hear of it.
      t.state = 'skipped';
      return;
    }
    if (progress === undefined) {
      // From the very place where another lane's run began both have had all changes.
      const known = t.keyed ? ahead.find((b) => parseRun(b.run)?.isJoinable === true && parseRun(b.run)?.at === at) : undefined;
      const fresh = { source, table: t.table, chunk: 0, lastKey: null, state: 'running', rows: 0, notes: '{"joining":true}' } as const;
      if (known === undefined) t.begin({ name: this.newRun(true), joining: true });
      else t.resume({ ...fresh, run: known.run }, ahead);
      this.#pending.push(t.progress());
    } else if (progress.state !== 'running') t.resume(progress, []);
    else if (!t.keyed || this.#mayBeUnknown(progress)) this.restart(t, parseNotes(progress));
    else t.resume(progress, ahead);
    if (t.lastKey !== null && t.boundary?.lastKey === null) t.fork(this.newRun(false));
    this.#pending.push(...passBoundaries(t, (isJoinable) => this.newRun(isJoinable)));
  }

  /** A run that somebody asked for, begun no earlier than here: a lane that is at this place may not have heard of it. */
  #mayBeUnknown(progress: SnapshotProgress): boolean {
    const begun = parseRun(progress.run);
    return parseNotes(progress).requested === true && begun !== null && begun.at >= this.#o.at;
  }

  /** From the table's beginning. */
  restart(
    t: TableRun<Row, Id, Seen, Bound>,
    { joining = false, requested = false, where = null }: { joining?: boolean; requested?: boolean; where?: string | null },
  ): void {
    // Lanes that are done must take the new run, too, if they were to be told of a longer list.
    const init: RunInit = { name: this.newRun(where === null), joining: joining && !this.#forking.has(t), requested, where };
    this.#change(t, () => t.begin(init));
  }

  close(t: TableRun<Row, Id, Seen, Bound>, state: 'failed' | 'skipped', error: string | null): void {
    this.#change(t, () => t.close(state, error));
  }

  #change(t: TableRun<Row, Id, Seen, Bound>, change: () => void): void {
    this.#forget(t);
    this.#forking.delete(t);
    this.#grown.delete(t);
    this.#announce(t, change);
  }

  #announce(t: TableRun<Row, Id, Seen, Bound>, change: () => void): void {
    change();
    this.#pending.push(t.progress());
    this.#onNews();
  }

  /** An incomplete event has touched the key: it is read once more. */
  list(t: TableRun<Row, Id, Seen, Bound>, key: string, isMove: boolean): void {
    // Only a change of key cannot be repeated: the row under the old one is gone, or another one.
    const mayRepeat = isMove && this.mayRepeat;
    if (!t.keyed || !(t.isRunning || (t.state === 'done' && mayRepeat))) return;
    if (!t.isRunning) {
      // A destination without our point may have applied half of this before: the row under the new key is read for all of them.
      t.forget();
      Object.assign(t, { state: 'running', isEnd: true });
      t.list.clear();
    }
    // Lanes that are further, or done, would not hear of a longer list of this run.
    if (mayRepeat || t.boundary !== null) this.#forking.add(t);
    else if (!t.list.has(key)) this.#grown.add(t);
    t.list.add(key);
  }
}
