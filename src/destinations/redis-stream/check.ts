// What can be found out before anything is written: reachable, role, durability, permissions, the type of the stream.

import type { CdcError, Finding } from '../../sdk/index.ts';
import type { Client } from '../../systems/redis/client.ts';
import { endpointOf } from '../../systems/redis/endpoint.ts';
import type { LanePoints } from '../../systems/redis/lane-points.ts';
import {
  durabilityFindings,
  encryptionFindings,
  error,
  ok,
  refusedCommands,
  serverFacts,
  serverFindings,
} from '../../systems/redis/server.ts';
import { commonTag } from '../../systems/redis/template.ts';
import { type RedisStreamConfig, streamParts } from './config.ts';
import { StreamNames } from './stream-name.ts';

const ITS_COMMANDS = ['TYPE', 'XADD MAXLEN x * a b', 'XTRIM MAXLEN x'],
  POINT_COMMANDS = ['HGET a', 'HSET a b c', 'HKEYS', 'HDEL a'];
/** Stands for streams whose names the events make. */
const SAMPLE = { id: { database: 'database', schema: 'schema', table: 'table' }, columns: [], key: [], version: 1 };

/** Never throws for what it can name. */
export async function* findings(config: RedisStreamConfig, points: LanePoints): AsyncIterable<Finding> {
  try {
    yield* await points.use(null, false, (client) => look(client, config, points.server));
  } catch (cause) {
    const { code, message, fix } = cause as CdcError;
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look at the server.' };
  }
}

async function look(client: Client, config: RedisStreamConfig, server: string): Promise<Finding[]> {
  const parts = streamParts(config),
    isConstant = parts.every((p) => 'text' in p),
    stream = new StreamNames(parts).nameOf(SAMPLE, 'schema.table');
  const tag = config.cluster === undefined ? null : commonTag(parts);
  const point = tag === null ? 'cdc_run:point:' : `cdc_run:point:{${tag}}:`;
  const facts = await serverFacts(client, stream);
  const found = [
    ...serverFindings(facts, server, 'DESTINATION_MISCONFIGURED'),
    ...encryptionFindings(endpointOf(config, process.env)),
    ...durabilityFindings(facts),
  ];
  if (facts.evicts?.startsWith('allkeys'))
    found.push(
      error(
        'eviction',
        `the server removes keys when its memory is full (${facts.evicts}): it would lose streams and the pipeline's place`,
        'Set `maxmemory-policy noeviction`, or a volatile one.',
        'DESTINATION_MISCONFIGURED',
      ),
    );
  const refused = [...(await refusedCommands(client, stream, ITS_COMMANDS)), ...(await refusedCommands(client, point, POINT_COMMANDS))];
  if (refused.length > 0) found.push(forbidden(refused));
  else found.push(ok('privileges', isConstant ? `the user may write the stream ${stream}` : 'the user may write streams'));
  if (refused.length === 0 && isConstant) found.push(...(await typeFindings(client, stream)));
  return found;
}

function forbidden(refused: readonly string[]): Finding {
  return error(
    'privileges',
    `the user lacks ${[...new Set(refused)].join(', ')}`,
    'Run: ACL SETUSER <user> ~<streams> ~cdc_run:point:* +eval +evalsha +type +xadd +xtrim +hget +hset +hkeys +hdel +hgetall.',
    'DESTINATION_FORBIDDEN',
  );
}

async function typeFindings(client: Client, stream: string): Promise<Finding[]> {
  const type = await client.type(stream);
  if (type === 'stream' || type === 'none')
    return [ok('stream', type === 'none' ? `the stream ${stream} will be created` : `the stream ${stream} is there`)];
  return [
    error(
      'stream',
      `the key ${stream} holds a ${type}, not a stream`,
      'Choose another `stream_name`, or remove the key.',
      'DESTINATION_MISCONFIGURED',
    ),
  ];
}
