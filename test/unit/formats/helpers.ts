// Batches, contexts and messages that the tests of formats share.

import { createEnvelope, type EnvelopeType } from '../../../src/envelope/create.ts';
import type { FormatContext } from '../../../src/formats/context.ts';
import type { Message } from '../../../src/formats/messages.ts';
import { type ChangeEvent, type Clock, type LaneBatch, type RecordContext, silentLogger } from '../../../src/sdk/index.ts';
import { context } from '../envelope/helpers.ts';

/** From here on a sleep is a time limit: it passes only for tests that say so. */
const LIMIT_MS = 10_000;

/** A clock that only moves when somebody sleeps. */
export class FakeClock implements Clock {
  nowMs = 0;
  readonly slept: number[] = [];
  areLimitsReached = false;

  now(): number {
    return this.nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms >= LIMIT_MS && !this.areLimitsReached)
      return new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    if (signal?.aborted !== true) {
      this.slept.push(ms);
      this.nowMs += ms;
    }
    return Promise.resolve();
  }
}

export function component(name = 'bus') {
  return { pipeline: 'orders', name, clock: new FakeClock(), random: () => 0, logger: silentLogger };
}

export const formatContext = (where = 'destination "bus"'): FormatContext => ({ ...component(), where });

const POINT = { epoch: 1, log: null, sources: {}, snapshots: [] };

/** What a lane hands over, with the records of this envelope. */
export function laneBatch(
  events: readonly ChangeEvent[],
  type: EnvelopeType = 'debezium',
  options: Record<string, unknown> = {},
  ctx: RecordContext = context(),
): LaneBatch {
  const envelope = createEnvelope({ type, options }, ctx);
  return {
    events,
    skip: new Set(),
    previous: POINT,
    through: POINT,
    worker: 0,
    encoded: () => envelope.encode(events),
    envelope: { type, options, context: ctx },
  };
}

export const text = (bytes: Uint8Array | null | undefined): string | null => (bytes ? Buffer.from(bytes).toString() : null);
export const never = new AbortController().signal;
export const sameTopic = (_event: ChangeEvent, topic: string): string => topic;

export function message(value: string | Uint8Array | null, key: string | Uint8Array | null = null, topic = 'users'): Message {
  const bytes = (part: string | Uint8Array | null): Uint8Array | null => (typeof part === 'string' ? Buffer.from(part) : part);
  return { topic, key: bytes(key), value: bytes(value), headers: null };
}
