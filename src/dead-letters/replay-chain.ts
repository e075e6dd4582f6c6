// Events of letters on their way through transformers again: those of the pipeline from the failing one on, and a destination's
// own. Stateful ones cannot take part: their state belongs to events that came long after.

import type { EngineDeps } from '../engine/api.ts';
import { openTransformer } from '../engine/components.ts';
import type { DestinationConfig, PipelineConfig, PluginConfig } from '../engine/pipeline-config.ts';
import { type ChainResult, type ChainStep, TransformChain } from '../engine/transform-chain.ts';
import { type ChangeEvent, isStateful } from '../sdk/index.ts';
import { impossible } from './replay-entries.ts';

export class ReplayChains {
  readonly #config: PipelineConfig;
  readonly #deps: EngineDeps;
  readonly #steps = new Map<string, readonly ChainStep[]>();

  constructor(config: PipelineConfig, deps: EngineDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** From the transformer of this name on. */
  async pipeline(from: string, event: ChangeEvent): Promise<ChainResult> {
    const steps = await this.#opened('pipeline', this.#config.transformers);
    return this.#run(steps.slice(steps.findIndex((s) => s.name === from)), event);
  }

  /** A destination's own, all of them: its letters hold events from before the first. */
  async lane(destination: DestinationConfig, event: ChangeEvent): Promise<ChainResult> {
    return this.#run(await this.#opened(`lane:${destination.name}`, destination.transformers), event);
  }

  async close(): Promise<void> {
    for (const steps of this.#steps.values()) for (const { transformer } of steps) await transformer.close?.();
  }

  async #run(steps: readonly ChainStep[], event: ChangeEvent): Promise<ChainResult> {
    if (steps.length === 0) return { events: [event], failures: [], filtered: 0 };
    const stateful = steps.find((s) => isStateful(s.transformer));
    if (stateful !== undefined)
      throw impossible(`transformer "${stateful.name}" holds events back, and what it held then is gone`, 'Purge the letter.');
    // A copy: where it fails the letter keeps the event as it was.
    return new TransformChain(steps, this.#deps.clock, null).run([event.copy()]);
  }

  async #opened(of: string, plugins: readonly PluginConfig[]): Promise<readonly ChainStep[]> {
    const known = this.#steps.get(of);
    if (known !== undefined) return known;
    const steps: ChainStep[] = [];
    this.#steps.set(of, steps);
    for (const plugin of plugins) steps.push(await openTransformer(this.#config, plugin, this.#deps));
    return steps;
  }
}
