// What a start would do at a source, as the server is now: for `cdc-run plan --connect`.

export interface SourcePlan {
  /** What is not there yet and would be made. */
  readonly creates: readonly PlannedStep[];
  /** Locks that are taken, and whom they hold up. */
  readonly locks: readonly string[];
  /** Tables whose rows are read first; `null`: nobody knows how many. */
  readonly reads: readonly { readonly table: string; readonly rows: number | null }[];
  /** What the source's server keeps for the pipeline while it does not read; `null`: nothing. */
  readonly keeps: PlannedRetention | null;
}

export interface PlannedStep {
  readonly what: string;
  /** As it would be sent to the server. */
  readonly statement: string;
}

export interface PlannedRetention {
  /** `the replication slot cdc_run_orders`. */
  readonly by: string;
  /** How much it may become; `null`: there is no limit. */
  readonly limitBytes: number | null;
  /** How fast the server's log grows now; `null`: it cannot be told. */
  readonly bytesPerSecond: number | null;
}
