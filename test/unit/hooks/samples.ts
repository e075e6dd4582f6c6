// Payloads and contexts for the tests of hooks.

import {
  CdcError,
  ChangeEvent,
  type HookPayload,
  type Logger,
  type PluginContext,
  type Position,
  type RunSummary,
  silentLogger,
  systemClock,
} from '../../../src/sdk/index.ts';

export const RUN: RunSummary = {
  pipeline: 'orders',
  runId: 7,
  startedAtMs: 1000,
  endedAtMs: 2000,
  outcome: 'failed',
  eventsRead: 12,
  eventsFiltered: 1,
  deadLetters: 2,
  delivered: { bus: 9 },
  resumedFrom: { shop: { main: 'line 3' } },
  error: new CdcError('SOURCE_FAILED', 'gone', { fix: 'Look.' }),
};

export const SCHEMA_CHANGE = new ChangeEvent({
  op: 's',
  source: 'shop',
  partition: 'main',
  position: '42' as Position,
  sourceTsMs: 5,
  table: {
    id: { database: null, schema: 'public', table: 'orders' },
    key: ['id'],
    version: 2,
    columns: [{ name: 'id', type: 'int64', nativeType: 'bigint', nullable: false, default: 7n }],
  },
  schemaChange: { kind: 'alter', previous: null, ddl: 'alter table orders add x int' },
});

export const PAYLOADS: readonly HookPayload[] = [
  { event: 'before_run', run: RUN },
  { event: 'after_run', run: RUN },
  { event: 'on_error', run: RUN, error: new CdcError('DESTINATION_FULL', 'full', { cause: new Error('password=hunter2') }) },
  {
    event: 'on_checkpoint',
    run: RUN,
    point: {
      epoch: 3,
      log: { id: 'l', seq: 4 },
      sources: { shop: { main: '42' as Position } },
      snapshots: [{ source: 'shop', run: 'r', table: 'public.orders', chunk: 1, lastKey: '["123-45-6789"]', state: 'running', rows: 10 }],
    },
  },
  { event: 'on_schema_change', run: RUN, change: SCHEMA_CHANGE },
];

export const AFTER_RUN = PAYLOADS[1] as HookPayload;

export interface Logged {
  readonly level: string;
  readonly message: string;
}

export function contextWith(logged: Logged[] = [], changes: Partial<PluginContext> = {}): PluginContext {
  const log =
    (level: string) =>
    (message: string): void => {
      logged.push({ level, message });
    };
  const logger: Logger = { ...silentLogger, info: log('info'), warn: log('warn'), error: log('error') };
  return {
    pipeline: 'orders',
    name: 'notify',
    logger,
    clock: systemClock,
    random: () => 0,
    baseDir: '/',
    store: { get: async () => null, set: async () => undefined },
    ...changes,
  };
}
