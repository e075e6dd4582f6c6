// What is done with the letters of a queue once a destination is at hand, whether the pipeline runs or not: back through the
// transformers, judged, written, and what became of each.

import type { EngineDeps } from '../engine/api.ts';
import type { DestinationConfig, PipelineConfig } from '../engine/pipeline-config.ts';
import { CdcError, toCdcError } from '../sdk/index.ts';
import type { OpenQueues } from './open.ts';
import type { ReplayReport } from './replay.ts';
import type { ReplayChains } from './replay-chain.ts';
import { again, type Entry } from './replay-entries.ts';
import { type Candidate, judge, type LaneKeys } from './replay-plan.ts';
import type { ReplayTarget } from './replay-target.ts';
import { ReplayWriter } from './replay-writer.ts';

export interface PassOptions {
  readonly config: PipelineConfig;
  readonly deps: Pick<EngineDeps, 'clock'>;
  readonly queues: OpenQueues;
  readonly chains: ReplayChains;
  readonly force: boolean;
  /** Only judges otherwise. */
  readonly writes: boolean;
  readonly signal: AbortSignal;
}

export class ReplayPass {
  readonly #o: PassOptions;
  readonly #entries: readonly Entry[];
  readonly #writer: ReplayWriter;

  constructor(options: PassOptions, entries: readonly Entry[]) {
    this.#o = options;
    this.#entries = entries;
    this.#writer = new ReplayWriter(options, entries);
  }

  /** Those that go to none or all of the destinations first. */
  async begin(): Promise<void> {
    if (!this.#o.writes) return;
    for (const entry of this.#entries) await this.#transform(entry);
    await this.#writer.finish(this.#entries.filter((e) => e.outcome === 'filtered'));
  }

  /** Letters from before the log go through the transformers first, once for all destinations. */
  async #transform(entry: Entry): Promise<void> {
    const { letter, queue } = entry;
    if (!isOpen(entry) || letter.stage !== 'transform' || letter.event === null) return;
    try {
      const { events, failures } = await this.#o.chains.pipeline(letter.component, letter.event);
      const [failure] = failures;
      if (failure === undefined) {
        entry.events = events;
        if (events.length === 0) entry.outcome = 'filtered';
        return;
      }
      entry.outcome = 'failed';
      entry.error = failure.error;
      await queue.queue.put([again(letter, failure.error, this.#o.deps.clock.now())]);
    } catch (cause) {
      const error = toCdcError(cause);
      if (error.code !== 'DLQ_NOT_REPLAYABLE') throw error;
      entry.outcome = 'impossible';
      entry.error = error;
    }
  }

  async lane(lane: ReplayTarget, keys: LaneKeys | null): Promise<void> {
    const { config, deps, force, writes } = this.#o;
    const destination = config.destinations.find((d) => d.name === lane.name) as DestinationConfig;
    const concerned = this.#entries.filter((e) => e.targets.includes(lane.name) && e.outcome !== 'impossible' && e.outcome !== 'filtered');
    const candidates = new Map<Candidate, Entry>();
    for (const entry of concerned) {
      const events = writes && isOpen(entry) ? await this.#laneEvents(destination, entry) : entry.events;
      candidates.set({ letter: entry.letter, events, selected: isOpen(entry) }, entry);
    }
    const verdicts = judge([...candidates.keys()], { keys, point: lane.point, idempotent: lane.idempotent, force });
    const sending: { entry: Entry; candidate: Candidate }[] = [];
    for (const [candidate, verdict] of verdicts) {
      const entry = candidates.get(candidate) as Entry;
      if (verdict !== 'send') this.#refuse(entry, lane.name, verdict);
      else if (writes) sending.push({ entry, candidate });
      else entry.outcome ??= 'planned';
    }
    if (writes) await this.#writer.write(lane, sending, keys, deps.clock);
  }

  /** What the destination's own transformers make of it; for a letter of its writes that has been done. */
  async #laneEvents(destination: DestinationConfig, entry: Entry): Promise<Entry['events']> {
    const { letter } = entry;
    if (letter.stage === 'write') return entry.events;
    const out = [];
    for (const event of entry.events) {
      const { events, failures } = await this.#o.chains.lane(destination, event);
      const [failure] = failures;
      if (failure !== undefined) {
        entry.outcome = 'failed';
        entry.error = failure.error;
        await entry.queue.queue.put([again(letter, failure.error, this.#o.deps.clock.now())]);
        return entry.events;
      }
      out.push(...events);
    }
    return out;
  }

  #refuse(entry: Entry, lane: string, verdict: 'held' | 'interrupted' | 'superseded'): void {
    const [code, what, fix] = {
      held: ['DLQ_KEY_PARKED', 'an earlier letter of its key stays in the queue', 'Replay the letters of the key together.'],
      interrupted: [
        'DLQ_SUPERSEDED',
        'a replay of it was interrupted, and may have delivered it',
        'Look there; then purge it, or use `--force`.',
      ],
      superseded: [
        'DLQ_SUPERSEDED',
        'newer events of its key may have been delivered, which it would undo',
        'Look there; then purge it, or use `--force`.',
      ],
    }[verdict] as ['DLQ_KEY_PARKED' | 'DLQ_SUPERSEDED', string, string];
    entry.outcome = verdict;
    entry.error = new CdcError(code, `Not sent to "${lane}": ${what}.`, { where: `destination "${lane}"`, fix });
  }

  report(error: CdcError | null): ReplayReport {
    const letters = this.#entries.flatMap(({ selected, letter, outcome, error: why }) =>
      selected && outcome !== null ? [{ letter, outcome, error: why }] : [],
    );
    return { letters, untried: this.#entries.filter(isOpen).length, error };
  }
}

/** Still to be sent. */
export function isOpen({ selected, outcome }: Entry): boolean {
  return selected && outcome === null;
}
