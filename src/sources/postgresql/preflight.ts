// `check()` of the source: opens a session and says all that check.ts finds, or why there is none.

import { CdcError, type Finding } from '../../sdk/index.ts';
import { findings } from './check.ts';
import { type PostgresqlSourceConfig, tablePatterns } from './config.ts';
import { error } from './findings.ts';
import { modeOf } from './mode.ts';
import type { Server } from './server.ts';

export async function* checkSource(server: Server, config: PostgresqlSourceConfig): AsyncIterable<Finding> {
  const { endpoint, pipeline, slot, publication, place } = server,
    found: Finding[] = [];
  const options = {
    server: place.server,
    endpoint,
    mode: modeOf(config),
    // Of a query it is the name of its rows, whether there is such a table or not.
    patterns: config.query === undefined ? tablePatterns(config) : [],
    pipeline,
    slot,
    publication,
    failover: config.failover,
    heartbeat: config.heartbeat !== undefined,
    truncate: config.on_truncate === 'emit',
    readsRows: config.snapshot_mode !== 'never',
  };
  try {
    await server.use(null, async (session) => {
      for await (const finding of findings(session, options)) found.push(finding);
    });
  } catch (cause) {
    if (!(cause instanceof CdcError)) throw cause;
    found.push(error('reachable', cause.message, cause.fix ?? 'Look into the log of the server.', cause.code));
  }
  yield* found;
}
