// Keys that are known, and what they ask for is not built yet. They are collected here, in one place: running stops with
// them, because ignoring a key would do something else than the file says. Remove a line when its feature is there.

import type { Unavailable } from './components.ts';
import { formatPath, type Path } from './issue.ts';
import type { PipelineSection } from './shell.ts';

type Add = (path: Path, what: string) => void;

function adder(into: Unavailable[]): Add {
  return (path, what) =>
    into.push({
      where: formatPath(path),
      code: 'CONFIG_FEATURE_NOT_AVAILABLE',
      message: `${formatPath(path)} asks for ${what}, which this version cannot do yet`,
    });
}

type Shell = Pick<PipelineSection, 'sync' | 'state'> & { readonly merge_strategy?: string };

/** The other places of state are known by name only. */
export const isStateAvailable = (type: string): boolean => ['sqlite', 'file', 'redis'].includes(type);

/** What the pipeline as a whole asks for. */
export function unavailableInShell(shell: Shell, into: Unavailable[]): void {
  const add = adder(into);
  const { sync, state, merge_strategy } = shell;
  if (sync.compression?.enabled) add(['sync', 'compression'], `${sync.compression.algorithm} compression`);
  if (!isStateAvailable(state.type)) add(['state', 'type'], `state in ${state.type}`);
  if (merge_strategy !== undefined) add(['merge_strategy'], `merging by ${merge_strategy}`);
}
