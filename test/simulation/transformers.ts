// The transformers of simulated pipelines, with what they do to an event written down once, for engine and oracle alike.

import type { ChangeEvent, Transformer } from '../../src/sdk/index.ts';
import { tableNamed } from '../../src/sdk/testing/sample-tables.ts';

/** Tables are named by what happens to their events: `a` nothing, `b` goes into windows, `d` is filtered, `q` is the queue's, `x` is added. */
export type TableKind = 'a' | 'b' | 'd' | 'q' | 'x';
export const kindOf = (table: string): TableKind => table[0] as TableKind;

/** The name of a row that the transformer chokes on. */
export const POISON = '!';

export const filter: Transformer = { transform: (events) => events.filter((e) => kindOf(e.table.id.table) !== 'd') };

export const choke: Transformer = {
  transform(events) {
    for (const e of events) if (String(e.get('after', 'name')).startsWith(POISON)) throw new Error('this row is poison');
    return events;
  },
};

/** A destination's own filter that nothing passes. */
export const nothing: Transformer = { transform: () => [] };

/** Does an event of this kind get a second one? */
export const isExploded = (table: string, op: string): boolean => kindOf(table) === 'a' && op === 'c';

export const explode: Transformer = {
  transform: (events) => events.flatMap((e) => (isExploded(e.table.id.table, e.op) ? [e, extra(e)] : [e])),
};

function extra(e: ChangeEvent): ChangeEvent {
  const table = tableNamed(`x${e.table.id.table.slice(1)}`),
    id = Number(e.position);
  return e.copy({ table, before: null, key: { id }, after: { id, name: 'extra', note: null } });
}
