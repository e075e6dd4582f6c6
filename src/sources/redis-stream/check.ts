// What can be found out before anything is read: reachable, role, the stream, the group, permissions.

import type { CdcError, Finding } from '../../sdk/index.ts';
import type { Client } from '../../systems/redis/client.ts';
import { isServerError, problemOf } from '../../systems/redis/driver-errors.ts';
import { endpointOf } from '../../systems/redis/endpoint.ts';
import { encryptionFindings, error, ok, serverFacts, serverFindings, warning } from '../../systems/redis/server.ts';
import type { RedisStreamSourceConfig } from './config.ts';
import { Group, type GroupNames } from './group.ts';

type Use = <T>(work: (client: Client) => Promise<T>) => Promise<T>;

/** Never throws for what it can name. */
export async function* findings(config: RedisStreamSourceConfig, names: GroupNames, use: Use): AsyncIterable<Finding> {
  try {
    yield* await use((client) => look(client, config, names));
  } catch (cause) {
    const { code, message, fix } = cause as CdcError;
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look at the server.' };
  }
}

async function look(client: Client, config: RedisStreamSourceConfig, names: GroupNames): Promise<Finding[]> {
  const endpoint = endpointOf(config, process.env),
    facts = await serverFacts(client, names.stream);
  const found = [
    ...serverFindings(facts, `${endpoint.node.host}:${endpoint.node.port}`, 'SOURCE_MISCONFIGURED'),
    ...encryptionFindings(endpoint),
  ];
  if (facts.version !== null && isBefore(facts.version, [6, 2]))
    found.push(
      error(
        'version',
        `version ${facts.version} cannot take over entries of dead consumers`,
        'Use Redis 6.2 or later.',
        'SOURCE_MISCONFIGURED',
      ),
    );
  const refused = await refusedCommands(client, names);
  if (refused.length > 0) {
    const fix = 'Run ACL SETUSER as the README of the source says.';
    return [...found, error('privileges', `the user lacks ${refused.join(', ')}`, fix, 'SOURCE_FORBIDDEN')];
  }
  found.push(ok('privileges', `the user may read the stream ${names.stream} in a group`));
  return [...found, ...(await streamFindings(client, names))];
}

async function streamFindings(client: Client, names: GroupNames): Promise<Finding[]> {
  const type = await client.type(names.stream);
  if (type === 'none')
    return [warning('stream', `the stream ${names.stream} is not there yet: it will be made`, 'Make sure that its name is right.')];
  if (type !== 'stream')
    return [error('stream', `the key ${names.stream} holds a ${type}, not a stream`, 'Correct `stream_name`.', 'SOURCE_MISCONFIGURED')];
  const info = await new Group(names).info(client);
  if (info === null) return [ok('group', `the group ${names.group} will be made`)];
  return [
    ok(
      'group',
      `the group ${names.group} is there: ${info.pending} entries unfinished, ${info.lag ?? 'an unknown number'} not delivered yet`,
    ),
  ];
}

/** Commands that are wrong: who may not use them is told so, and to everybody else the server says what is wrong. */
async function refusedCommands(client: Client, { stream, group, consumer }: GroupNames): Promise<string[]> {
  const tries: readonly (readonly [string, ...string[]])[] = [
    ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', 'x', 'STREAMS', stream, '>'],
    ['XACK', stream, group, 'x'],
    ['XGROUP', 'CREATE', stream, group, 'x'],
    ['XAUTOCLAIM', stream, group, consumer, 'x', '0'],
    ['XCLAIM', stream, group, consumer, 'x', '0-0'],
    ['XPENDING', stream, group, 'x', '+', '1'],
    ['XINFO', 'GROUPS', stream],
    ['TYPE', stream],
  ];
  const refused: string[] = [];
  for (const [command, ...args] of tries) {
    try {
      await client.call(command, args);
    } catch (cause) {
      if (!isServerError(cause)) throw cause;
      const { kind } = problemOf(cause);
      if (kind === 'login' || kind === 'away') throw cause;
      if (kind === 'permission') refused.push(command);
    }
  }
  return refused;
}

function isBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a < major || (a === major && b < minor);
}
