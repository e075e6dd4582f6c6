// Destinations that cannot tell what they have: they write event by event and keep no point. One holds rows (a repeat does
// no harm), the other appends records (a repeat is seen).

import {
  CdcError,
  type ChangeEvent,
  type Committed,
  type Destination,
  type EncodedBatch,
  type Finding,
  type LaneBatch,
  type WriteResult,
} from '../../index.ts';
import { type Faults, rejected } from './faults.ts';
import { aborted, type DestinationObserver } from './holding-destination.ts';
import { applyEvent, type Rows } from './rows.ts';
import { atOnce, type Step } from './step.ts';

/** What a server keeps that has no idea of lanes and points. */
export class UntrackedStore {
  rows: Rows = new Map();
  /** In order of arrival. `event`: what the record was made of. */
  readonly records: { readonly event: ChangeEvent; readonly key: Uint8Array | null; readonly value: Uint8Array | null }[] = [];
  readonly faults: Faults;
  readonly observer: DestinationObserver;

  constructor(faults: Faults, observer: DestinationObserver = {}) {
    this.faults = faults;
    this.observer = observer;
  }
}

abstract class UntrackedDestination implements Destination {
  protected readonly store: UntrackedStore;
  readonly #step: Step;
  #cut = false;

  constructor(store: UntrackedStore, step: Step = atOnce) {
    this.store = store;
    this.#step = step;
  }

  async *check(): AsyncIterable<Finding> {
    if (this.store.faults.down)
      yield { level: 'error', check: 'reachable', message: 'the store does not answer', fix: 'Start it.', code: 'DESTINATION_UNREACHABLE' };
    else yield { level: 'ok', check: 'reachable', message: 'the store answers' };
  }

  async committed(): Promise<Committed> {
    await this.#call('connect');
    return { kind: 'untracked' };
  }

  /** Stops at the first failure: an event after it could be one that depends on it. */
  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    if (signal.aborted) throw aborted();
    const written: number[] = [];
    await this.#call('connect');
    for (const [index, event] of batch.events.entries()) {
      if (batch.skip.has(index)) continue;
      await this.#callAgain(`write ${event.op}`);
      const error = this.store.faults.rejects(event) ? rejected(event) : this.put(batch, index, event);
      if (error !== null) return { kind: 'partial', written, failed: [{ index, error }] };
      this.store.observer.applied?.(event);
      written.push(index);
    }
    await this.#step('reply');
    return { kind: 'stored' };
  }

  /** Stores one event, or says why it can never be stored. */
  protected abstract put(batch: LaneBatch, index: number, event: ChangeEvent): CdcError | null;

  async close(): Promise<void> {
    this.#cut = true;
  }

  /** The connection breaks: what is under way fails, and the next call opens a new one. */
  cut(): void {
    this.#cut = true;
  }

  async #call(what: string): Promise<void> {
    this.#cut = false;
    await this.#callAgain(what);
  }
  async #callAgain(what: string): Promise<void> {
    await this.#step(what);
    this.store.faults.assertUp('the store', 'DESTINATION_UNREACHABLE');
    if (this.#cut)
      throw new CdcError('DESTINATION_UNREACHABLE', 'the connection was cut', { retriable: true, fix: 'Wait: it is opened again.' });
  }
}

/** Upserts and deletes by key. */
export class FakeRowsDestination extends UntrackedDestination {
  protected put(batch: LaneBatch, _index: number, event: ChangeEvent): CdcError | null {
    return applyEvent(this.store.rows, event, batch, false);
  }
}

/** Appends records: a delete may be two of them. */
export class FakeRecordsDestination extends UntrackedDestination {
  readonly #encode: ((events: readonly ChangeEvent[]) => EncodedBatch) | null;

  /** `encode`: an encoder of its own; else the records come with the batch. */
  constructor(store: UntrackedStore, step: Step = atOnce, encode: ((events: readonly ChangeEvent[]) => EncodedBatch) | null = null) {
    super(store, step);
    this.#encode = encode;
  }

  protected put(batch: LaneBatch, index: number, event: ChangeEvent): CdcError | null {
    const encoded = this.#encode === null ? batch.encoded() : this.#encode(batch.events);
    for (const [i, at] of encoded.event.entries()) {
      if (at === index) this.store.records.push({ event, key: encoded.key[i]?.slice() ?? null, value: encoded.value[i]?.slice() ?? null });
    }
    return null;
  }
}
