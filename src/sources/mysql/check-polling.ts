// What is looked at before tables are polled: reachable, the watermark of each, and whether the server shows who writes.

import { CdcError, type Finding } from '../../sdk/index.ts';
import { checkTables, error, guarded, ok, problem, warning } from './check.ts';
import type { MysqlSourceConfig } from './config.ts';
import { oldestWriter } from './poll-bound.ts';
import type { PollInput } from './poll-input.ts';
import type { Server } from './server.ts';
import { type ServerFacts, variables } from './server-facts.ts';

export async function* checkPolling(
  server: Server,
  config: MysqlSourceConfig,
  inputs: () => Promise<ReadonlyMap<string, PollInput>>,
): AsyncIterable<Finding> {
  let facts: ServerFacts;
  try {
    facts = await server.freshFacts();
  } catch (cause) {
    yield problem('reachable', cause);
    return;
  }
  yield ok('reachable', `${facts.flavor === 'mariadb' ? 'MariaDB' : 'MySQL'} ${facts.version} at ${server.place.server}`);
  let isFine = true;
  for await (const finding of guarded('tables', () => checkTables(server, config))) {
    isFine &&= finding.level !== 'error';
    yield finding;
  }
  if (!isFine) return;
  yield* guarded('watermark', () => checkWatermarks(server, inputs));
}

async function* checkWatermarks(server: Server, inputs: () => Promise<ReadonlyMap<string, PollInput>>): AsyncIterable<Finding> {
  let found: ReadonlyMap<string, PollInput>;
  try {
    found = await inputs();
  } catch (cause) {
    if (!(cause instanceof CdcError)) throw cause;
    yield error('watermark', cause.message, cause.fix ?? 'Correct `watermark`.', cause.code);
    return;
  }
  for (const [name, { order }] of found) yield ok('watermark', `${name} is read in the order of ${order.map((c) => c.name).join(', ')}`);
  const isByTime = [...found.values()].some(({ time }) => time !== null);
  if (isByTime && (await server.use(null, oldestWriter)) === 'hidden')
    yield warning(
      'privileges',
      'The user may not see transactions that run: changes that are committed later than `watermark.settle` behind newer ones are missed.',
      'Run: GRANT PROCESS ON *.* TO …;',
    );
  if ((await variables(server, ['read_only'])).get('read_only') === 'ON')
    yield warning(
      'replica',
      'The server is read-only, as replicas are: transactions that run at its primary are not seen, so only `watermark.settle` holds rows back.',
      'Poll the primary, or set `watermark.settle` to more than its longest transaction.',
    );
}
