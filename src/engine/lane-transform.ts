// A lane's own filter and transformers. The log's events are frozen: transformers of a lane get copies, and a filter, which
// only looks, gets the events themselves, so that the records of what it keeps stay shared where nothing was left out.

import { CdcError, type ChangeEvent, type Clock, isStateful } from '../sdk/index.ts';
import type { Collected, Stretch } from './batcher.ts';
import type { Refused } from './parking.ts';
import { sensitiveColumns, withoutValues } from './sensitive.ts';
import { type ChainStep, TransformChain } from './transform-chain.ts';

/** Transformers that only leave events out. */
const PURE = 'filter';

export interface LaneStep extends ChainStep {
  readonly type: string;
}

/** What a lane's transformers refused, per step. */
export interface LaneFailures {
  readonly component: string;
  readonly refused: readonly Refused[];
}

export class LaneTransform {
  /** Before the first step that changes something. */
  readonly #filters: TransformChain;
  readonly #changes: TransformChain;
  readonly #steps: readonly LaneStep[];

  constructor(steps: readonly LaneStep[], where: string, clock: Clock) {
    const stateful = steps.find((s) => isStateful(s.transformer));
    if (stateful !== undefined) {
      throw new CdcError('CONFIG_INVALID_VALUE', `transformer "${stateful.name}" holds events back, which a destination's own may not`, {
        where: `${where}.transformers`,
        fix: 'Move it to plugins.transformers.',
      });
    }
    this.#steps = steps;
    const first = steps.findIndex((s) => s.type !== PURE),
      at = first < 0 ? steps.length : first;
    this.#filters = new TransformChain(steps.slice(0, at), clock, null);
    this.#changes = new TransformChain(steps.slice(at), clock, null);
  }

  async run(batch: Collected): Promise<{ batch: Collected; failures: readonly LaneFailures[] }> {
    const stretches: Stretch[] = [],
      byStep = new Map<string, Refused[]>();
    let isChanged = !this.#changes.isEmpty;
    for (const stretch of batch.stretches) {
      const kept = stretch.kept.length === 0 ? stretch.kept : await this.#stretch(stretch.kept, byStep);
      isChanged ||= kept.length !== stretch.kept.length;
      stretches.push({ ...stretch, kept });
    }
    const failures = [...byStep].map(([component, refused]) => ({ component, refused }));
    if (!isChanged) return { batch, failures };
    return { batch: { ...batch, events: stretches.flatMap((s) => s.kept), pieces: null, stretches }, failures };
  }

  async close(): Promise<void> {
    await this.#filters.close();
    await this.#changes.close();
  }

  /** The letter has the event from before all steps, so what any of them hides must not be in clear there. */
  #fail(failures: Map<string, Refused[]>, component: string, event: ChangeEvent, error: CdcError): void {
    const sensitive = sensitiveColumns(this.#steps, event),
      refused = failures.get(component) ?? [];
    refused.push({ event, error: withoutValues(error, event, sensitive), sensitive });
    failures.set(component, refused);
  }

  async #stretch(events: readonly ChangeEvent[], failures: Map<string, Refused[]>): Promise<readonly ChangeEvent[]> {
    const filtered = await this.#filters.run([...events]);
    for (const { event, error, component } of filtered.failures) this.#fail(failures, component, event, error);
    if (this.#changes.isEmpty) return filtered.events;
    const copies = filtered.events.map((e) => e.copy());
    const changed = await this.#changes.run(copies);
    for (const { event, error, component } of changed.failures) {
      // As it was before the lane touched it: sent again, it goes through all of the lane's transformers.
      const at = copies.indexOf(event),
        original = filtered.events[at] ?? event;
      this.#fail(failures, component, original, error);
    }
    return changed.events;
  }
}
