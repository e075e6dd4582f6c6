// A dead letter as a change event: one row of the table `cdc_dead_letters`, for queues that are destinations. Pure.

import type { DeadLetter } from '../engine/api.ts';
import { ChangeEvent, type Column, type ColumnType, type Position, type TableSchema, type Value } from '../sdk/index.ts';
import { encodeEvent } from './event-codec.ts';

export const LETTERS_SOURCE = 'dead_letters';

const column = (name: string, type: ColumnType, nullable = true): Column => ({ name, type, nativeType: type, nullable });

const LETTERS: TableSchema = {
  id: { database: null, schema: null, table: 'cdc_dead_letters' },
  key: ['id'],
  version: 1,
  columns: [
    column('id', 'string', false),
    column('pipeline', 'string', false),
    column('lane', 'string'),
    column('stage', 'string', false),
    column('component', 'string', false),
    column('code', 'string', false),
    column('message', 'string', false),
    column('fix', 'string'),
    column('attempts', 'int32', false),
    column('first_at', 'timestamptz', false),
    column('last_at', 'timestamptz', false),
    column('place', 'string', false),
    column('event', 'json'),
    column('input', 'string'),
    column('protected', 'json'),
  ],
};

/** Where letters are rows, one that comes again replaces itself; elsewhere it is one more record. */
export function letterEvent(letter: DeadLetter): ChangeEvent {
  const { id, pipeline, lane, stage, component, error, attempts, firstMs, lastMs, at, event, input, protection = null } = letter;
  return new ChangeEvent({
    op: 'c',
    table: LETTERS,
    source: LETTERS_SOURCE,
    partition: 'main',
    // Unique per letter, and the same when it comes again.
    position: id as Position,
    sourceTsMs: lastMs,
    after: {
      id,
      pipeline,
      lane,
      stage,
      component,
      code: error.code,
      message: error.message,
      fix: error.fix,
      attempts,
      first_at: new Date(firstMs).toISOString(),
      last_at: new Date(lastMs).toISOString(),
      place: at,
      event: event && encodeEvent(event),
      input: input instanceof Uint8Array ? Buffer.from(input).toString('base64') : input,
      // Plain JSON by its type.
      protected: protection as unknown as Value,
    },
  });
}
