// A change event as something to compare: its class keeps its rows to itself.

import type { ChangeEvent } from '../../src/sdk/index.ts';

const PARTS = [
  'id',
  'op',
  'table',
  'source',
  'partition',
  'position',
  'sourceTsMs',
  'transaction',
  'snapshot',
  'incomplete',
  'message',
  'schemaChange',
  'raw',
  'derived',
  'headers',
  'key',
  'before',
  'after',
] as const satisfies readonly (keyof ChangeEvent)[];

/** Everything of an event that can be looked at. */
export function contentOf(event: ChangeEvent | null): object | null {
  return event === null ? null : Object.fromEntries(PARTS.map((part) => [part, event[part]]));
}
