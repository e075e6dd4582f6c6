// Which snapshot rows a lane takes. Runs differ by lane: a destination that joins later gets a run of its own, which the
// others have no use for; and of a run that they share, one may be some chunks ahead of the other.

import type { ChangeEvent, SnapshotProgress } from '../sdk/index.ts';

/** How far one lane is with the snapshot of each table. */
export class LaneSnapshots {
  #progress: readonly SnapshotProgress[];

  constructor(progress: readonly SnapshotProgress[]) {
    this.#progress = progress;
  }

  /** A new array whenever something has changed. */
  get progress(): readonly SnapshotProgress[] {
    return this.#progress;
  }

  /** Rows of another run than the lane's own are for it only if its own run is unfinished: then the new one has replaced it. */
  takes(event: ChangeEvent): boolean {
    const mark = event.snapshot;
    if (mark === false) return true;
    const own = this.#of(event.source, mark.table);
    if (own === undefined || (own.run !== mark.run && own.state === 'running')) return true;
    return own.run === mark.run && own.state === 'running' && mark.chunk > own.chunk;
  }

  /** Progress has come, with a batch that the lane's point covers or not: what it covers has been answered before. */
  follow(source: string, progress: readonly SnapshotProgress[], isCovered: boolean): void {
    for (const next of progress) {
      const own = this.#of(source, next.table);
      if (own === undefined) this.#progress = [...this.#progress, next];
      else if (this.#replaces(next, own, isCovered)) this.#progress = this.#progress.map((s) => (s === own ? next : s));
    }
  }

  #replaces(next: SnapshotProgress, own: SnapshotProgress, isCovered: boolean): boolean {
    if (next.run !== own.run) return own.state === 'running' || (next.chunk === 0 && next.joining !== true && !isCovered);
    return own.state === 'running' && (next.chunk > own.chunk || next.state !== 'running');
  }

  #of(source: string, table: string): SnapshotProgress | undefined {
    return this.#progress.find((s) => s.source === source && s.table === table);
  }
}
