// Workers of a destination, from its own keys or those of `sync`.

import { isAbsolute, resolve } from 'node:path';
import type { ParallelismConfig } from '../engine/pipeline-config.ts';
import type { Context } from './components.ts';
import { formatPath, type Path } from './issue.ts';
import type { SyncSection } from './sections.ts';

type Section = NonNullable<SyncSection['parallelism']>;

const ONE: ParallelismConfig = { workers: 1, strategy: 'hash', field: null, ranges: [], module: null };

/** `at`: where the section stands, for problems. */
export function parallelismConfig(section: Section | undefined, at: Path, { document }: Context): ParallelismConfig {
  if (!section?.enabled || section.worker_count === 1) return ONE;
  const { worker_count: workers, partition_strategy: strategy, partition_field: field = null, partition_ranges: ranges = [] } = section,
    module = section.partition_function ?? null;
  const missing = (key: string, example: string): void =>
    document.problem({
      code: 'CONFIG_MISSING_KEY',
      path: at,
      atKey: true,
      message: `missing key "${key}" in ${formatPath(at)}: partition_strategy is ${strategy}`,
      expected: example,
      fix: `Add ${key}.`,
    });
  if (strategy === 'range' && field === null) missing('partition_field', 'a column');
  if (strategy === 'range' && ranges.length === 0) missing('partition_ranges', 'a list of numbers, such as [1000, 2000]');
  if (strategy === 'custom' && module === null) missing('partition_function', 'a module, such as ./partition.ts');
  if (ranges.some((n, i) => i > 0 && n <= (ranges[i - 1] as number))) {
    document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path: [...at, 'partition_ranges'],
      message: `${formatPath([...at, 'partition_ranges'])} must grow from number to number`,
      fix: 'Sort the numbers.',
    });
  }
  const path = strategy !== 'custom' || module === null ? null : isAbsolute(module) ? module : resolve(document.baseDir, module);
  return { workers, strategy, field, ranges, module: path };
}
