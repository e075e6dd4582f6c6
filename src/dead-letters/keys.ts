// Which letters must stay in order: those of the same key, at the same destination. Pure.

import { type ChangeEvent, formatTableId, type Row } from '../sdk/index.ts';
import { encodeValue } from './value-codec.ts';

/** Keys that events before must not be missing for. */
export class KeySet {
  readonly #keys = new Set<string>();
  readonly #tables = new Set<string>();

  /** Does the event share a key with one that was added? A truncate shares all keys of its table. */
  touches(event: ChangeEvent): boolean {
    const table = tableOf(event);
    if (this.#tables.has(`all ${table}`) || (event.op === 't' && this.#tables.has(table))) return true;
    return keysOf(event).some((key) => this.#keys.has(key));
  }

  add(event: ChangeEvent): void {
    const table = tableOf(event),
      keys = keysOf(event);
    if (event.op === 't') this.#tables.add(`all ${table}`);
    if (keys.length > 0 || event.op === 't') this.#tables.add(table);
    for (const key of keys) this.#keys.add(key);
  }
}

/** The key of an event, and the one its row had before. None where there is no key: such events have no order to keep. */
function keysOf(event: ChangeEvent): string[] {
  return [event.oldKey, event.key].flatMap((key) => (key === null ? [] : [`${tableOf(event)} ${textOf(key)}`]));
}

const tableOf = ({ source, table }: ChangeEvent): string => JSON.stringify([source, formatTableId(table.id)]);

function textOf(key: Row): string {
  return JSON.stringify(Object.entries(key).map(([name, value]) => [name, encodeValue(value)]));
}
