// What the writer of SQL destinations asks of MySQL (src/relational/writer.ts).

import type { Engine } from '../../relational/writer.ts';
import { type ApplyOptions, applySegments } from './apply.ts';
import type { Session } from './connection.ts';
import { isDataError, refusal, refusedNull } from './errors.ts';
import type { PointTable } from './points.ts';
import type { TargetTable } from './target-table.ts';
import { inTransaction } from './transaction.ts';

export function engineFor(points: PointTable, options: ApplyOptions): Engine<Session, TargetTable> {
  const send =
    (...statements: readonly string[]) =>
    async (session: Session): Promise<void> => {
      await session.script(statements);
    };
  return {
    inTransaction,
    apply: (session, segments) => applySegments(session, segments, options),
    savepoint: send('SAVEPOINT part'),
    release: send('RELEASE SAVEPOINT part'),
    rollBackTo: send('ROLLBACK TO SAVEPOINT part', 'RELEASE SAVEPOINT part'),
    isDataError,
    refusedNull,
    refusal,
    movePoint: (session, lane, worker, epoch, from, to) => points.move(session, lane, worker, epoch, from, to),
  };
}
