// May a lane get this stretch of the log again, and where does it begin and end? Pure: for the running pipeline and for the
// command line alike. Rows must not end older than they are, so a replay begins no earlier than what the destination has got
// on its own, and ends where the lane stands.

import type { ChangeLog, LogPlace } from '../log/change-log.ts';
import { CdcError } from '../sdk/index.ts';
import type { LaneState, ReplayRequest } from '../state/store.ts';
import { type Codecs, coversSources } from './places.ts';

/** What an operator asks for, in numbers of records. */
export interface ReplayAsk {
  readonly destination: string;
  readonly from: number;
  /** `null`: up to where the lane stands. */
  readonly to: number | null;
  readonly tables: readonly string[];
  /** Also a stretch that ends before, over rows that newer events may have changed. */
  readonly force: boolean;
}

export interface ReplayFacts {
  readonly pipeline: string;
  /** Of the lane; `undefined` when it never ran. */
  readonly state: LaneState | undefined;
  readonly log: { readonly id: string; readonly firstSeq: number };
  /** The last record that the lane is done with; `null` when it does not stand in this log. */
  readonly place: number | null;
}

export interface ReplayPlan {
  readonly request: ReplayRequest;
  /** The last record, as things stand. */
  readonly end: number;
  /** For people: what is not as one might expect. */
  readonly notes: readonly string[];
}

/** Throws `LOG_REPLAY_REFUSED`. */
export function planReplay(facts: ReplayFacts, ask: ReplayAsk): ReplayPlan {
  const { log, place, state } = facts,
    { destination, from, tables } = ask;
  if (state === undefined) {
    throw refused(facts, `destination "${destination}" has no lane yet: nothing was delivered to it`, 'Run the pipeline first.');
  }
  if (state.detached !== null) {
    throw refused(
      facts,
      `destination "${destination}" is detached: it lacks events, and a replay would not bring them`,
      `Let it join anew with \`--rejoin ${destination}\`.`,
    );
  }
  if (state.replay !== null) {
    throw refused(
      facts,
      `destination "${destination}" has a replay already, which has come to record ${state.replay.next}`,
      'Let it finish (start the pipeline if it is stopped), or take it back with `cdc-run replay <pipeline> --destination d --cancel`.',
    );
  }
  if (place === null) {
    throw refused(
      facts,
      `destination "${destination}" does not stand in this log yet`,
      'Run the pipeline once with this log, then replay.',
    );
  }
  const { first, notes } = boundOf(facts, state, destination);
  if (from < first.seq)
    throw refused(facts, `record ${from} is before ${first.what}`, `Write \`--from ${first.seq}\`: what is before is not replayed.`);
  const to = lastOf(facts, ask, place);
  const end = to ?? place;
  if (from > end)
    throw refused(facts, `there is nothing between record ${from} and record ${end}, where the lane stands`, 'Choose an earlier `--from`.');
  return { request: { log: log.id, from, to, next: from, tables }, end, notes };
}

/** The first record that may be sent again. */
function boundOf(
  { log }: ReplayFacts,
  { joinedAt }: LaneState,
  destination: string,
): { first: { seq: number; what: string }; notes: readonly string[] } {
  const head = { seq: log.firstSeq, what: `record ${log.firstSeq}, the first one that the log still holds` };
  if (joinedAt.log?.id !== log.id) {
    const note = `where "${destination}" joined is not known in this log: the bound is its first record, ${log.firstSeq}, or that place, which is looked for at the start`;
    return { first: head, notes: [note] };
  }
  const joined = joinedAt.log.seq + 1;
  if (joined <= log.firstSeq) return { first: head, notes: [] };
  return { first: { seq: joined, what: `record ${joined}, with which destination "${destination}" joined or was placed` }, notes: [] };
}

function lastOf(facts: ReplayFacts, { destination, to, force }: ReplayAsk, place: number): number | null {
  if (to === null || to >= place) return null;
  if (force) return to;
  throw refused(
    facts,
    `record ${to} is before record ${place}, where destination "${destination}" stands: rows that were changed in between would become older than they are`,
    'Leave out `--to`, or add --force if nothing in between has changed these rows.',
  );
}

/** The last record of the log that a place covers; the one before the log when it covers none. */
export async function lastCovered(
  log: Pick<ChangeLog, 'firstSeq' | 'lastSeq' | 'read'>,
  codecs: Codecs,
  sources: LogPlace['sources'],
): Promise<number> {
  // The beginning: rows of a snapshot may stand in the log before anything has a position.
  if (Object.values(sources).every((partitions) => Object.keys(partitions).length === 0)) return log.firstSeq - 1;
  // Places only grow, so the first batch that is not covered is found by halves.
  let low = log.firstSeq,
    high = log.lastSeq + 1;
  while (low < high) {
    const batch = await log.read(Math.floor((low + high) / 2));
    if (batch === null) break;
    if (coversSources(codecs, sources, batch.after.sources)) low = batch.endSeq + 1;
    else high = batch.firstSeq;
  }
  const batch = low > log.lastSeq ? null : await log.read(low);
  if (batch === null || batch.whole) return low - 1;
  const point = sources[batch.source]?.[batch.partition],
    codec = codecs[batch.source];
  if (point === undefined || codec === undefined) return low - 1;
  const first = batch.events.findIndex((e) => !codec.covers(point, e.position));
  return low - 1 + (first < 0 ? batch.events.length : first);
}

export function refused({ pipeline }: { readonly pipeline: string }, what: string, fix: string): CdcError {
  return new CdcError('LOG_REPLAY_REFUSED', what, { where: `pipeline "${pipeline}"`, fix });
}
