// The transform chain: runs once per source batch, before anything is stored. A transformer that throws costs the event that
// made it throw, not the batch: that event goes to the dead letter queue as it was before the failing step (invariant 3).

import {
  CdcError,
  ChangeEvent,
  type Clock,
  isStateful,
  type SavedRows,
  type StatefulTransformer,
  type Transformer,
  toCdcError,
} from '../sdk/index.ts';
import { withTimeout } from './guard.ts';
import { sensitiveColumns, withoutValues } from './sensitive.ts';

export interface ChainStep {
  readonly name: string;
  readonly timeoutMs: number;
  readonly transformer: Transformer;
}

/** An event that a transformer refused. */
export interface ChainFailure {
  readonly event: ChangeEvent;
  readonly component: string;
  /** Without the values of `sensitive`. */
  readonly error: CdcError;
  /** Columns that this step or a later one hides. */
  readonly sensitive: readonly string[];
}

export interface ChainResult {
  readonly events: ChangeEvent[];
  readonly failures: ChainFailure[];
  /** Events that a transformer left out on purpose. */
  readonly filtered: number;
}

/** Told before and after a plugin runs on the main thread, for the watchdog. */
export interface PluginMonitor {
  enter(plugin: number): void;
  leave(): void;
}

/** A plugin that times out on this many single events in a row is broken itself: the pipeline stops. */
const MAX_TIMEOUTS_IN_A_ROW = 3;

export class TransformChain {
  readonly #steps: readonly ChainStep[];
  readonly #clock: Clock;
  readonly #monitor: PluginMonitor | null;

  constructor(steps: readonly ChainStep[], clock: Clock, monitor: PluginMonitor | null) {
    this.#steps = steps;
    this.#clock = clock;
    this.#monitor = monitor;
  }

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }
  get stateful(): readonly StatefulTransformer[] {
    return this.#steps.map((s) => s.transformer).filter(isStateful);
  }

  /** Some step declares columns that must not be kept in clear before it. */
  get hidesColumns(): boolean {
    return this.#steps.some(({ transformer }) => transformer.sensitive !== undefined);
  }

  async run(input: ChangeEvent[]): Promise<ChainResult> {
    let events = input,
      filtered = 0;
    const failures: ChainFailure[] = [];
    for (const [index, step] of this.#steps.entries()) {
      if (events.length === 0) break;
      const out = await this.#runStep(step, index, events, failures);
      if (out !== events) filtered += Math.max(0, events.length - out.length);
      events = out;
    }
    return { events, failures, filtered: Math.max(0, filtered - failures.length) };
  }

  /** Closes what stateful steps hold: each step's output goes through the steps after it. */
  async flush(reason: 'idle' | 'end'): Promise<ChainResult> {
    let events: ChangeEvent[] = [];
    const failures: ChainFailure[] = [];
    for (const [index, step] of this.#steps.entries()) {
      if (events.length > 0) events = await this.#runStep(step, index, events, failures);
      if (isStateful(step.transformer)) events = events.concat(numberDerived(step.name, [], step.transformer.flush(reason)));
    }
    return { events, failures, filtered: 0 };
  }

  async close(): Promise<void> {
    for (const { transformer } of this.#steps) await transformer.close?.();
  }

  async #runStep(step: ChainStep, index: number, events: ChangeEvent[], failures: ChainFailure[]): Promise<ChangeEvent[]> {
    const saved = events.map((e) => e.save());
    // A stateful step cannot be called again with the same events: what it took in before it threw is unknown.
    const state = isStateful(step.transformer) ? step.transformer.save() : null;
    try {
      return numberDerived(step.name, events, await this.#call(step, index, events));
    } catch (cause) {
      const error = pluginError(step.name, cause);
      if (error.code === 'PLUGIN_CONTRACT') throw error;
      for (const [i, event] of events.entries()) event.restore(saved[i] as SavedRows);
      if (state !== null && isStateful(step.transformer)) step.transformer.restore(state);
      return this.#oneByOne(step, index, events, failures);
    }
  }

  async #oneByOne(step: ChainStep, index: number, events: ChangeEvent[], failures: ChainFailure[]): Promise<ChangeEvent[]> {
    const out: ChangeEvent[] = [];
    // Of the whole batch: one by one the events must get the same numbers as together.
    const numbers = highestNumbers(events);
    let timeouts = 0;
    for (const event of events) {
      const saved = event.save();
      const state = isStateful(step.transformer) ? step.transformer.save() : null;
      try {
        out.push(...numberDerived(step.name, [event], await this.#call(step, index, [event]), () => numbers));
        timeouts = 0;
      } catch (cause) {
        const error = pluginError(step.name, cause);
        if (error.code === 'PLUGIN_CONTRACT') throw error;
        timeouts = error.code === 'PLUGIN_TIMEOUT' ? timeouts + 1 : 0;
        if (timeouts >= MAX_TIMEOUTS_IN_A_ROW) throw error;
        event.restore(saved);
        if (state !== null && isStateful(step.transformer)) step.transformer.restore(state);
        const sensitive = sensitiveColumns(this.#steps.slice(index), event);
        failures.push({ event, component: step.name, error: withoutValues(error, event, sensitive), sensitive });
      }
    }
    return out;
  }

  async #call(step: ChainStep, index: number, events: ChangeEvent[]): Promise<ChangeEvent[]> {
    this.#monitor?.enter(index);
    let result: ChangeEvent[] | Promise<ChangeEvent[]>;
    try {
      result = step.transformer.transform(events);
    } finally {
      this.#monitor?.leave();
    }
    return Array.isArray(result) ? result : withTimeout(this.#clock, step.name, step.timeoutMs, result);
  }
}

function pluginError(name: string, cause: unknown): CdcError {
  if (cause instanceof CdcError) return cause;
  return toCdcError(cause, 'PLUGIN_FAILED', { where: `plugin "${name}"`, fix: 'Correct the plugin, then replay the dead letters.', cause });
}

/**
 * Events that are not among the inputs were added: they get the position of their input and a number, so that their ids are
 * unique and the same after a repeat. The common case, an ordered part of the input, is recognised in one pass.
 */
function numberDerived(
  name: string,
  input: readonly ChangeEvent[],
  output: ChangeEvent[],
  numbers: () => Map<string, number> = () => highestNumbers(input),
): ChangeEvent[] {
  if (output === input) return output;
  if (!Array.isArray(output)) throw contractError(name, `returned ${typeof output} instead of a list of events`);
  let at = 0,
    plain = true;
  for (const event of output) {
    while (at < input.length && input[at] !== event) at++;
    if (at++ >= input.length) {
      plain = false;
      break;
    }
  }
  if (plain) return output;
  const known = new Set(input),
    taken = numbers();
  return output.map((event) => {
    if (!(event instanceof ChangeEvent)) throw contractError(name, `returned ${event === null ? 'null' : typeof event} among its events`);
    if (known.has(event)) return event;
    const id = idOf(event),
      last = taken.get(id);
    if (last === undefined && input.length > 0)
      throw contractError(name, `returned an event at ${id}, which is none of its inputs; make it with copy() of one of them`);
    const n = (last ?? event.derived) + 1;
    taken.set(id, n);
    return event.copy({ derived: n });
  });
}

/** Per position the highest number that is taken. */
function highestNumbers(events: readonly ChangeEvent[]): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const event of events) numbers.set(idOf(event), Math.max(numbers.get(idOf(event)) ?? 0, event.derived));
  return numbers;
}

const idOf = (e: ChangeEvent): string => `${e.source}/${e.partition}/${e.position}`;

function contractError(name: string, what: string): CdcError {
  return new CdcError('PLUGIN_CONTRACT', `transformer "${name}" ${what}`, {
    where: `plugin "${name}"`,
    fix: 'Return a list of ChangeEvents.',
  });
}
