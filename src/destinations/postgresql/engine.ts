// What the writer of SQL destinations asks of PostgreSQL (src/relational/writer.ts).

import type { Engine } from '../../relational/writer.ts';
import { type ApplyOptions, applySegments } from './apply.ts';
import type { Session } from './connection.ts';
import { isDataError, refusal, refusedNull } from './errors.ts';
import type { PointTable } from './points.ts';
import type { TargetTable } from './target-table.ts';
import { inTransaction } from './transaction.ts';

export function engineFor(points: PointTable, options: ApplyOptions): Engine<Session, TargetTable> {
  return {
    inTransaction,
    apply: (session, segments) => applySegments(session, segments, options),
    savepoint: async (session) => {
      await session.query('SAVEPOINT part');
    },
    // Deferred constraints speak up here and not at COMMIT, where no event could be named.
    release: (session) => session.script('SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; RELEASE SAVEPOINT part'),
    rollBackTo: (session) => session.script('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part'),
    isDataError,
    refusedNull,
    refusal,
    movePoint: (session, lane, worker, epoch, from, to) => points.move(session, lane, worker, epoch, from, to),
  };
}
