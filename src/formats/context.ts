// What formats need of the adapter that uses them: a part of `ComponentContext`, and how to name the adapter in errors.

import type { ComponentContext } from '../sdk/index.ts';

export interface FormatContext extends Pick<ComponentContext, 'pipeline' | 'name' | 'clock' | 'random' | 'logger'> {
  /** `destination "bus"`. */
  readonly where: string;
}
