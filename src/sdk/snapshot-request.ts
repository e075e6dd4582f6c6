// What an operator asks of the snapshot of tables while a pipeline runs, or for its next start (`cdc-run snapshot`).

/** `begin`: read all rows, or those that match, for all destinations. `pause` lasts until `resume`. `skip`: what is not out yet will not come. */
export type SnapshotAction = 'begin' | 'pause' | 'resume' | 'skip';

export interface SnapshotRequest {
  /** Made new for each request: the same one again changes nothing. */
  readonly id: string;
  readonly action: SnapshotAction;
  /** As the configuration of the source names tables. */
  readonly tables: readonly string[];
  /** With `begin`: only rows that meet this condition, in the language of the source. `null`: all. */
  readonly where: string | null;
}

export interface SnapshotReceipt {
  /** The tables that were meant, as progress names them. */
  readonly tables: readonly string[];
}

/** How one table is, for people; beside what its progress says, if it has any. */
export interface TableSnapshot {
  readonly table: string;
  /** `null`: as its progress says. `stopped`: its changes cannot be read, and none goes out until its rows are read again. */
  readonly state: 'paused' | 'stopped' | null;
  /** Rows in all, as far as is known; `null`: it cannot be told. */
  readonly estimate: number | null;
  /** Why it does not go on; `null`: nothing is wrong. */
  readonly error: string | null;
}
