// The last step of a replay: batches to one destination, and what their outcome means for the letters. A crash between any two
// steps leaves a letter in the queue, with a mark that says that it may have been delivered.

import type { DeadLetter } from '../engine/api.ts';
import { CdcError, type ChangeEvent, type Clock } from '../sdk/index.ts';
import { KeySet } from './keys.ts';
import type { ReplayRequest } from './replay.ts';
import { again, type Entry } from './replay-entries.ts';
import type { Candidate, LaneKeys } from './replay-plan.ts';
import type { ReplayTarget, Written } from './replay-target.ts';

export interface Sending {
  readonly entry: Entry;
  readonly candidate: Candidate;
}

export class ReplayWriter {
  readonly #r: Pick<ReplayRequest, 'config' | 'queues' | 'signal'>;
  readonly #entries: readonly Entry[];
  readonly #gone = new Set<Entry>();

  constructor(request: Pick<ReplayRequest, 'config' | 'queues' | 'signal'>, entries: readonly Entry[]) {
    this.#r = request;
    this.#entries = entries;
  }

  /** In order, in batches. Letters whose key has failed again before them stay. */
  async write(lane: ReplayTarget, sending: readonly Sending[], keys: LaneKeys | null, clock: Clock): Promise<void> {
    const failedKeys = new KeySet();
    let batch: Sending[] = [],
      events = 0;
    const flush = async (): Promise<void> => {
      if (batch.length > 0 && !this.#r.signal.aborted) await this.#batch(lane, batch, failedKeys, keys, clock);
      [batch, events] = [[], 0];
    };
    for (const one of sending) {
      if (events + one.candidate.events.length > lane.maxEvents) await flush();
      batch.push(one);
      events += one.candidate.events.length;
    }
    await flush();
  }

  /** Nothing is left to do for these letters: they leave the queue. */
  async finish(entries: readonly Entry[]): Promise<void> {
    for (const queue of this.#r.queues.all) {
      const ids = entries.filter((e) => e.queue === queue).map((e) => e.letter.id);
      if (ids.length > 0) await queue.store?.remove(new Set(ids));
    }
    for (const entry of entries) this.#gone.add(entry);
  }

  async #batch(lane: ReplayTarget, all: readonly Sending[], failedKeys: KeySet, keys: LaneKeys | null, clock: Clock): Promise<void> {
    const batch = all.filter(({ entry, candidate }) => {
      if (!candidate.events.some((event) => failedKeys.touches(event))) return true;
      hold(entry, lane.name);
      return false;
    });
    if (batch.length === 0) return;
    const events = batch.flatMap(({ candidate }) => candidate.events),
      startedMs = clock.now();
    await this.#mark(batch, startedMs);
    const written = await lane.write(events);
    let first = 0;
    for (const one of batch) {
      const own = one.candidate.events.map((event, i) => ({ event, index: first + i }));
      first += own.length;
      await this.#settle(lane.name, one.entry, own, written, clock.now());
      for (const { event, index } of own) if (!written.delivered.has(index)) failedKeys.add(event);
    }
    await this.#afterwards(lane.name, batch, keys, startedMs);
  }

  async #settle(
    lane: string,
    entry: Entry,
    own: readonly { readonly event: ChangeEvent; readonly index: number }[],
    { delivered, failed }: Written,
    nowMs: number,
  ): Promise<void> {
    const left = own.filter(({ index }) => !delivered.has(index));
    if (left.length === 0) {
      entry.delivered.add(lane);
      return;
    }
    const error = left.map(({ index }) => failed.get(index)).find((e) => e !== undefined) ?? null;
    if (entry.letter.lane !== null) {
      if (error === null) hold(entry, lane);
      else {
        entry.outcome = 'failed';
        entry.error = error;
        await entry.queue.queue.put([again(entry.letter, error, nowMs)]);
      }
      return;
    }
    // From before the log: what one destination refuses is now a letter of that destination, like in a run.
    const letters = left.map(({ event, index }) => laneLetter(entry.letter, lane, event, failed.get(index) ?? parked(lane), nowMs));
    await this.#r.queues.of(lane).queue.put(letters);
    entry.delivered.add(lane);
    entry.outcome = 'failed';
    entry.error = error ?? parked(lane);
  }

  /** Keys are let go first, then the letters: after a crash in between they are reported, not sent again. */
  async #afterwards(lane: string, batch: readonly Sending[], keys: LaneKeys | null, startedMs: number): Promise<void> {
    const done = batch.map(({ entry }) => entry).filter((e) => e.targets.every((name) => e.delivered.has(name)));
    if (keys !== null) {
      const isDone = new Set(done);
      const left = keysLeft(this.#entries, lane, (entry) => this.#gone.has(entry) || isDone.has(entry));
      for (const entry of done) for (const event of entry.events) if (!left.touches(event)) keys.release(event);
      await keys.save();
    }
    for (const entry of done) entry.outcome ??= 'sent';
    await this.finish(done);
    const more = batch.filter(({ entry }) => entry.delivered.has(lane) && !done.includes(entry));
    await this.#mark(more, startedMs);
  }

  async #mark(batch: readonly Sending[], startedMs: number): Promise<void> {
    // Letters with the same history share a line of work.
    const groups = new Map<string, Entry[]>();
    for (const { entry } of batch) {
      const delivered = JSON.stringify([...entry.delivered]);
      groups.set(delivered, [...(groups.get(delivered) ?? []), entry]);
    }
    for (const [delivered, entries] of groups) {
      for (const queue of this.#r.queues.all) {
        const ids = entries.filter((e) => e.queue === queue).map((e) => e.letter.id);
        if (ids.length > 0) await queue.store?.mark(ids, { startedMs, delivered: JSON.parse(delivered) as string[] });
      }
    }
  }
}

function hold(entry: Entry, lane: string): void {
  entry.outcome = 'held';
  entry.error = new CdcError('DLQ_KEY_PARKED', `Not sent to "${lane}": an earlier event of its key was refused again.`, {
    where: `destination "${lane}"`,
    fix: 'See the letter before it.',
  });
}

function parked(lane: string): CdcError {
  return new CdcError('DLQ_KEY_PARKED', 'behind an earlier event of its key, which was refused', {
    where: `destination "${lane}"`,
    fix: 'Send the dead letters of the key again, in their order.',
  });
}

function laneLetter(from: DeadLetter, lane: string, event: ChangeEvent, error: CdcError, nowMs: number): DeadLetter {
  const { pipeline, at } = from;
  const id = `${pipeline}/${lane}/${event.id}`;
  return { id, pipeline, lane, stage: 'write', component: lane, error, attempts: 1, firstMs: nowMs, lastMs: nowMs, event, input: null, at };
}

/** Keys of what stays in the queue for a destination. */
function keysLeft(entries: readonly Entry[], lane: string, gone: (entry: Entry) => boolean): KeySet {
  const keys = new KeySet();
  for (const entry of entries) {
    if (entry.letter.lane !== lane || gone(entry)) continue;
    for (const event of entry.events) keys.add(event);
  }
  return keys;
}
