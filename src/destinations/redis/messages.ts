// A batch as messages for channels. Pure.

import { CdcError, type ChangeEvent, type LaneBatch, type WriteFailure } from '../../sdk/index.ts';
import { recordsOf } from './encode.ts';
import type { KeyPattern } from './key-pattern.ts';

export interface Messages {
  /** Channel and message. */
  readonly messages: readonly (readonly [string, Buffer])[];
  readonly failed: readonly WriteFailure[];
}

export function encodeMessages(batch: LaneBatch, channel: KeyPattern): Messages {
  const messages: (readonly [string, Buffer])[] = [],
    failed: WriteFailure[] = [];
  for (const [index, record] of recordsOf(batch)) {
    if (batch.skip.has(index)) continue;
    const event = batch.events[index] as ChangeEvent,
      side = event.has('after') ? 'after' : 'before';
    const name = channel.keyOf(event, (column) => event.get(side, column) ?? event.key?.[column], event.key);
    if (typeof name === 'string') messages.push([name, record]);
    else failed.push({ index, error: noChannel(name === null ? null : name.missing) });
  }
  return { messages, failed };
}

function noChannel(column: string | null): CdcError {
  const what = column === null ? 'a value of it is null' : `the event has no value for "${column}"`;
  return new CdcError('DESTINATION_EVENT_REJECTED', `An event has no channel: ${what}.`, {
    fix: 'Use columns in `channel` that every row has.',
  });
}
