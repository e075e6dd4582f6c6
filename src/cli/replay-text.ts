// How `cdc-run replay` shows what is sent again. Pure.

import type { ReplayPlan } from '../engine/replay-plan.ts';
import { formatTime, plural, table } from './format.ts';
import type { Colors } from './output.ts';

export interface Preview {
  /** Table → events. */
  readonly tables: { readonly [table: string]: number };
  /** Commit times at the source, milliseconds since the epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
}

type Done = 'nothing' | 'accepted' | 'stored';

const ENDS: { readonly [done in Done]: string } = {
  nothing: 'Nothing was sent or stored: this was a dry run.',
  accepted: 'accepted: the running pipeline sends it now; `cdc-run status` shows how far it is',
  stored: 'stored: the next start of the pipeline begins with it',
};

/**
 * ```
 * records 120 to 4711: 3,100 events of 2026-01-02 03:04:05 UTC to 2026-01-02 09:00:00 UTC
 *   public.items   100 events
 *   public.orders  3,000 events
 * ✔ stored: the next start of the pipeline begins with it
 * ```
 */
export function replayLines({ request, end, notes }: ReplayPlan, { tables, firstMs, lastMs }: Preview, done: Done, c: Colors): string[] {
  const total = Object.values(tables).reduce((sum, n) => sum + n, 0);
  return [
    `${c.bold(`records ${request.from} to ${end}`)}: ${plural(total, 'event')} of ${formatTime(firstMs)} to ${formatTime(lastMs)}`,
    ...table(Object.entries(tables).map(([name, count]) => [name, plural(count, 'event')])),
    ...notes.map((note) => `  ${c.yellow('!')} ${note}`),
    done === 'nothing' ? ENDS.nothing : `${c.green('✔')} ${ENDS[done]}`,
  ];
}

export function replayDocument({ request, end, notes }: ReplayPlan, preview: Preview, done: Done): object {
  return { ok: true, done, from: request.from, to: end, ...preview, notes };
}
