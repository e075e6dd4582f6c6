// Rules between keys of the shell that no schema of a single key can say.

import type { ConfigDocument } from './document.ts';
import { isMapping } from './document.ts';
import type { PipelineSection } from './shell.ts';

type Shell = Partial<PipelineSection>;

/** Reports what contradicts or lacks something. Looks only at what is well-formed: the rest was reported before. */
export function checkShell(shell: Shell, isConnector: boolean, document: ConfigDocument): void {
  checkEnds(shell, isConnector, document);
  if (isMapping(shell.sync)) checkSchedule(shell.sync, document);
  if (isMapping(shell.log)) checkLog(shell.log, document);
  if (isMapping(shell.error_handling) && isMapping(shell.error_handling.retry)) checkRetry(shell.error_handling.retry, document);
  const batches = isMapping(shell.sync) ? shell.sync.batch_optimization : undefined;
  if (isMapping(batches) && batches.min_batch_size > batches.max_batch_size) {
    document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path: ['sync', 'batch_optimization', 'min_batch_size'],
      message: `sync.batch_optimization.min_batch_size is greater than max_batch_size (${batches.max_batch_size})`,
    });
  }
  if (isMapping(shell.state)) checkState(shell.state, document);
}

function checkState({ type, url }: PipelineSection['state'], document: ConfigDocument): void {
  const problem = (path: string[], message: string, fix: string): void =>
    document.problem({ code: 'CONFIG_INVALID_VALUE', path: ['state', ...path], atKey: true, message, fix });
  if (type === 'sqlite' || type === 'file') {
    if (url !== undefined) problem(['url'], `state.url has no meaning with state.type ${type}`, 'Remove it, or set state.type.');
  } else if (url === undefined) problem(['type'], `state.type ${type} needs state.url`, 'Add state.url.');
  else if (type === 'redis' && (!/^rediss?:\/\//.test(url) || !URL.canParse(url)))
    problem(['url'], 'state.url is no address of a Redis server', 'Write redis://user:password@localhost:6379/0.');
}

function checkEnds(shell: Shell, isConnector: boolean, document: ConfigDocument): void {
  for (const end of ['source', 'destination'] as const) {
    if (shell[end] !== undefined && shell[`${end}s`] !== undefined) {
      document.problem({
        code: 'CONFIG_INVALID_VALUE',
        path: [`${end}s`],
        atKey: true,
        message: `both ${end} and ${end}s are given`,
        fix: `Move the ${end} into ${end}s.`,
      });
    }
  }
  if (!isConnector && shell.source === undefined && shell.sources === undefined) {
    document.problem({
      code: 'CONFIG_MISSING_KEY',
      path: [],
      message: 'missing key "source" in the pipeline',
      expected: 'a mapping of keys',
      fix: 'Add source, or sources with a list.',
    });
  }
  const keepsEvents = isConnector || shell.log?.type === 'disk';
  if (!keepsEvents && shell.destination === undefined && shell.destinations === undefined) {
    document.problem({
      code: 'CONFIG_MISSING_KEY',
      path: [],
      message: 'missing key "destination" in the pipeline',
      expected: 'a mapping of keys',
      fix: 'Add destination, or destinations with a list.',
    });
  }
}

function checkSchedule(sync: PipelineSection['sync'], document: ConfigDocument): void {
  if (sync.mode === 'cron' && sync.schedule === undefined) {
    document.problem({
      code: 'CONFIG_MISSING_KEY',
      path: ['sync'],
      atKey: true,
      message: 'missing key "schedule" in sync: mode is cron',
      expected: 'a cron pattern',
      fix: 'Add schedule, such as `schedule: "*/15 * * * *"`.',
    });
  }
  if (sync.mode !== 'cron' && sync.schedule !== undefined) {
    document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path: ['sync', 'schedule'],
      atKey: true,
      message: `sync.schedule has no meaning with sync.mode ${sync.mode}`,
      fix: 'Set sync.mode to cron, or remove schedule.',
    });
  }
}

function checkLog(log: PipelineSection['log'], document: ConfigDocument): void {
  if (log.type === 'disk') return;
  for (const key of ['path', 'max_age', 'when_full', 'durability', 'compression'] as const) {
    if (log[key] === undefined) continue;
    document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path: ['log', key],
      atKey: true,
      message: `log.${key} has no meaning with log.type ${log.type}`,
      fix: 'Set log.type to disk, or remove the key.',
    });
  }
}

function checkRetry(retry: PipelineSection['error_handling']['retry'], document: ConfigDocument): void {
  if (retry.initial_delay <= retry.max_delay) return;
  document.problem({
    code: 'CONFIG_INVALID_VALUE',
    path: ['error_handling', 'retry', 'initial_delay'],
    message: 'error_handling.retry.initial_delay is longer than max_delay',
    fix: 'Raise max_delay.',
  });
}
