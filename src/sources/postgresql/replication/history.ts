// Is the server still the one that our position belongs to? A promoted standby goes on in a new timeline: what was written
// before the switch is the same there, what we have seen behind it never happened.
// https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES

import { CdcError } from '../../../sdk/index.ts';
import { formatLsn, parseLsn } from '../lsn.ts';
import type { ReplicationConnection } from './socket.ts';

/** Where the server says it is. */
export interface SystemIdentity {
  readonly systemId: string;
  readonly timeline: number;
  /** The end of its log. */
  readonly lsn: bigint;
}

/** A timeline, and where it was left for the next one. */
export interface TimelineSwitch {
  readonly timeline: number;
  readonly at: bigint;
}

/** What a stored position belongs to. Kept in the source's store beside the schemas. */
export interface KnownPlace {
  readonly systemId: string;
  readonly timeline: number;
  /** What the log must reach for the position to have a meaning: see `reachOf`. */
  readonly lsn: bigint;
}

export async function identify(connection: ReplicationConnection, signal: AbortSignal | null = null): Promise<SystemIdentity> {
  const [row] = await connection.query('IDENTIFY_SYSTEM', signal);
  return { systemId: row?.['systemid'] ?? '', timeline: Number(row?.['timeline']), lsn: parseLsn(row?.['xlogpos'] ?? '') ?? 0n };
}

/** The switches that led to `timeline`, oldest first; timeline 1 has none. */
export async function timelineHistory(connection: ReplicationConnection, timeline: number): Promise<TimelineSwitch[]> {
  if (timeline === 1) return [];
  const [row] = await connection.query(`TIMELINE_HISTORY ${timeline}`);
  return parseTimelineHistory(row?.['content'] ?? '');
}

/** Lines of `1⇥0/3000000⇥reason`; comments begin with `#`. */
export function parseTimelineHistory(content: string): TimelineSwitch[] {
  return content.split('\n').flatMap((line) => {
    const [, timeline, lsn] = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line) ?? [];
    const at = lsn === undefined ? null : parseLsn(lsn);
    return at === null ? [] : [{ timeline: Number(timeline), at }];
  });
}

/** `null`: the position is part of what the server has. `history`: of the server's timeline. */
export function historyProblem(known: KnownPlace, now: SystemIdentity, history: readonly TimelineSwitch[], where: string): CdcError | null {
  const why = divergence(known, now, history);
  if (why === null) return null;
  return new CdcError('SOURCE_HISTORY_DIVERGED', `The stored position ${formatLsn(known.lsn)} has no meaning at this server: ${why}.`, {
    where,
    fix: 'Connect to the server that the position belongs to, or read everything again: `snapshot_mode: when_needed`.',
  });
}

function divergence(known: KnownPlace, now: SystemIdentity, history: readonly TimelineSwitch[]): string | null {
  if (known.systemId !== now.systemId) return `it belongs to the system ${known.systemId}, this is ${now.systemId}`;
  if (known.timeline > now.timeline) return `it belongs to timeline ${known.timeline}, the server is on ${now.timeline}`;
  if (known.timeline < now.timeline) {
    const left = history.find((s) => s.timeline === known.timeline);
    if (left === undefined) return `timeline ${now.timeline} of the server does not come from timeline ${known.timeline}`;
    if (known.lsn > left.at) return `the server left timeline ${known.timeline} at ${formatLsn(left.at)}, before that position`;
    return null;
  }
  return known.lsn > now.lsn ? `the log of the server ends at ${formatLsn(now.lsn)}, before it: it was restored from an older copy` : null;
}
