// What a change upstream must become: one event or several, and where each must end.

import type { Position } from '../../src/sdk/index.ts';
import type { LogRecord } from '../../src/sdk/testing/fakes/log.ts';
import type { QueueMessage } from '../../src/sdk/testing/fakes/queue-source.ts';
import { keyOfRow, rowKey } from '../../src/sdk/testing/fakes/rows.ts';
import type { Audited } from './audited.ts';
import type { Shape } from './shape.ts';
import { isExploded, kindOf, POISON } from './transformers.ts';

export function expectedOf(shape: Shape, partition: string, r: LogRecord): Audited[] {
  if (r.op === 's') return [];
  const table = r.table.id.table,
    id = `log/${partition}/${r.position}`;
  const keys = [r.before, r.after].flatMap((row) => (row === null || r.input !== null ? [] : [rowKey(table, keyOfRow(r.table, row))]));
  const isPoison = shape.chokes && String(r.after?.['name']).startsWith(POISON),
    fate = fateOf(shape, r, isPoison);
  const event: Audited = {
    id,
    partition,
    position: r.position,
    place: `${r.position}.0`,
    table,
    op: r.op,
    keys: [...new Set(keys)],
    incomplete: r.incomplete,
    fate,
    input: r.input,
  };
  if (!shape.explodes || isPoison || fate !== 'sent' || !isExploded(table, r.op)) return [event];
  const derived = `x${table.slice(1)}`;
  return [
    event,
    {
      ...event,
      id: `${id}.1`,
      place: `${r.position}.1`,
      table: derived,
      keys: [`${derived}/${Number(r.position)}`],
      incomplete: false,
    },
  ];
}

function fateOf(shape: Shape, { input, table }: LogRecord, isPoison: boolean): Audited['fate'] {
  const kind = kindOf(table.id.table);
  if (input !== null) return 'rejected';
  if (isPoison) return 'sent';
  if (shape.filters && kind === 'd') return 'filtered';
  return shape.windows && kind === 'b' ? 'held' : 'sent';
}

export function expectedMessage({ id }: QueueMessage): Audited {
  return {
    id: `queue#${id}`,
    partition: null,
    position: '' as Position,
    place: '',
    table: 'q',
    op: 'c',
    keys: [`q/${id}`],
    incomplete: false,
    fate: 'sent',
    input: null,
  };
}
