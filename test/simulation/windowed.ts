// A destination that publishes a window of records at a time, as brokers do: within one write an event may fail and later ones
// be stored all the same. It holds no point, and nothing of it counts as effectively-once.

import {
  CdcError,
  type ChangeEvent,
  type Committed,
  type Destination,
  type Finding,
  type LaneBatch,
  type WriteResult,
} from '../../src/sdk/index.ts';
import { type Faults, rejected } from '../../src/sdk/testing/fakes/faults.ts';
import { aborted } from '../../src/sdk/testing/fakes/holding-destination.ts';
import type { Step } from '../../src/sdk/testing/fakes/step.ts';
import { UntrackedStore } from '../../src/sdk/testing/fakes/untracked-destination.ts';

/** What the broker keeps: records in order of arrival. */
export class WindowedStore extends UntrackedStore {}

export interface WindowedOptions {
  readonly step: Step;
  /** Does the broker lose this record, while it takes those behind it? */
  readonly drops: (event: ChangeEvent) => boolean;
  /** Told when a later record was stored and an earlier one was not. */
  readonly onHole: () => void;
  /** A mistake: says that all is stored. */
  readonly isBlind: boolean;
}

export class WindowedDestination implements Destination {
  readonly #store: WindowedStore;
  readonly #o: WindowedOptions;
  #cut = false;

  constructor(store: WindowedStore, options: WindowedOptions) {
    this.#store = store;
    this.#o = options;
  }

  async *check(): AsyncIterable<Finding> {
    yield { level: 'ok', check: 'reachable', message: 'the broker answers' };
  }

  async committed(): Promise<Committed> {
    this.#cut = false;
    await this.#call('connect');
    return { kind: 'untracked' };
  }

  /** All are under way at once; only what comes back says which of them are stored. */
  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    if (signal.aborted) throw aborted();
    this.#cut = false;
    const written: number[] = [],
      failed: { index: number; error: CdcError }[] = [];
    let lost: ChangeEvent | null = null;
    for (const [index, event] of batch.events.entries()) {
      if (batch.skip.has(index)) continue;
      await this.#call(`publish ${event.op}`);
      if (this.#faults.rejects(event)) failed.push({ index, error: rejected(event) });
      else if (this.#o.drops(event)) lost ??= event;
      else {
        if (lost !== null || failed.length > 0) this.#o.onHole();
        this.#store.records.push({ event, key: null, value: null });
        this.#store.observer.applied?.(event);
        written.push(index);
      }
    }
    await this.#o.step('reply');
    if (this.#o.isBlind) return { kind: 'stored' };
    if (lost !== null) throw unreachable(`the record of ${lost.position} timed out`);
    return failed.length === 0 ? { kind: 'stored' } : { kind: 'partial', written, failed };
  }

  async close(): Promise<void> {
    this.#cut = true;
  }
  cut(): void {
    this.#cut = true;
  }

  get #faults(): Faults {
    return this.#store.faults;
  }
  async #call(what: string): Promise<void> {
    await this.#o.step(what);
    this.#faults.assertUp('the broker', 'DESTINATION_UNREACHABLE');
    if (this.#cut) throw unreachable('the connection was cut');
  }
}

function unreachable(what: string): CdcError {
  return new CdcError('DESTINATION_UNREACHABLE', what, { retriable: true, fix: 'Wait: it is sent again.' });
}
