// What can be found out before anything is written: reachable, role, durability, permissions.

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
  warning,
} from '../../systems/redis/server.ts';
import { commonTag, type Part } from '../../systems/redis/template.ts';
import { holdsPoint, type Mode, modeOf, partsOf, type RedisConfig } from './config.ts';

/** Wrong beyond their number of arguments: see `refusedCommands`. What nobody has is removed at no loss. */
const COMMANDS: Readonly<Record<Mode, readonly string[]>> = {
  json: ['SET a NX XX'],
  set: ['SET a NX XX'],
  hash: ['TYPE', 'HSET a b c', 'HDEL a'],
  delete: ['UNLINK'],
  publish: [],
};
const POINT_COMMANDS = ['HGET a', 'HSET a b c', 'HKEYS', 'HDEL'];
/** Stands for values: nobody has such a key. */
const SAMPLE = 'cdc-run-check-4f1d';

/** Never throws for what it can name. */
export async function* findings(config: RedisConfig, points: LanePoints): AsyncIterable<Finding> {
  try {
    yield* await points.use(null, false, (client) => look(client, config, points.server));
  } catch (cause) {
    const { code, message, fix } = cause as CdcError;
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look at the server.' };
  }
}

async function look(client: Client, config: RedisConfig, server: string): Promise<Finding[]> {
  const parts = partsOf(config),
    key = sampleKey(parts),
    tag = config.cluster === undefined ? null : commonTag(parts),
    isHeld = holdsPoint(config);
  const facts = await serverFacts(client, key);
  const found = [...serverFindings(facts, server, 'DESTINATION_MISCONFIGURED'), ...encryptionFindings(endpointOf(config, process.env))];
  if (isHeld) found.push(...durabilityFindings(facts));
  if (isHeld && facts.evicts?.startsWith('allkeys'))
    found.push(
      warning(
        'eviction',
        `the server removes any key when its memory is full (${facts.evicts}): without the pipeline's place the pipeline stops`,
        'Set `keep_point: false`, or a volatile `maxmemory-policy`.',
      ),
    );
  if (config.keep_point && !isHeld)
    found.push(
      warning(
        'cluster',
        'the keys lie on several nodes, so a batch is not one step: it may be written twice after a crash',
        'Give all keys one hash tag ("{{shop}}:{table}:{key}"), or set `keep_point: false`.',
      ),
    );
  const point = tag === null ? 'cdc_run:point:' : `cdc_run:point:{${tag}}:`;
  const refused = [
    ...(await refusedCommands(client, key, COMMANDS[modeOf(config)])),
    ...(isHeld ? await refusedCommands(client, point, POINT_COMMANDS) : []),
  ];
  found.push(refused.length === 0 ? ok('privileges', 'the user may write the keys') : forbidden(refused));
  return found;
}

const sampleKey = (parts: readonly Part[]): string => parts.map((p) => ('text' in p ? p.text : SAMPLE)).join('');

function forbidden(refused: readonly string[]): Finding {
  return error(
    'privileges',
    `the user lacks ${[...new Set(refused)].join(', ')}`,
    'Run ACL SETUSER as the README of the destination says.',
    'DESTINATION_FORBIDDEN',
  );
}
