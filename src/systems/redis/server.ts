// What a server tells of itself: version, role, durability, limits, what the user may do. Users may lack the right to ask.

import type { ErrorCode, Finding } from '../../sdk/index.ts';
import type { Client } from './client.ts';
import { isServerError, problemOf } from './driver-errors.ts';
import type { Endpoint } from './endpoint.ts';
import { nodeOf } from './nodes.ts';
import { Script } from './script.ts';

const MIB = 1 << 20;
/** Of `proto-max-bulk-len`, where the server does not tell. */
const DEFAULT_BULK_LIMIT = 512 * MIB;

export const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message });
export const warning = (check: string, message: string, fix: string): Finding => ({ level: 'warning', check, message, fix });
export const error = (check: string, message: string, fix: string, code: ErrorCode): Finding => ({
  level: 'error',
  check,
  message,
  fix,
  code,
});

export interface ServerFacts {
  readonly version: string | null;
  readonly isReplica: boolean;
  /** `null`: the server does not tell. */
  readonly evicts: string | null;
  readonly appendOnly: boolean | null;
  readonly appendFsync: string | null;
}

/** The largest value in bytes. */
export async function bulkLimit(client: Client): Promise<number> {
  return Number((await setting(client, 'proto-max-bulk-len')) ?? DEFAULT_BULK_LIMIT);
}

/** `key`: of a cluster the node that has it is asked. */
export async function serverFacts(client: Client, key: string): Promise<ServerFacts> {
  const node = nodeOf(client, key);
  const info = fieldsOf((await permitted(() => node.info())) ?? '');
  const policy = info.get('maxmemory_policy') ?? null,
    isBound = (info.get('maxmemory') ?? '0') !== '0';
  return {
    version: info.get('redis_version') ?? null,
    isReplica: info.get('role') === 'slave',
    evicts: isBound && policy !== null && policy !== 'noeviction' ? policy : null,
    appendOnly: info.has('aof_enabled') ? info.get('aof_enabled') === '1' : null,
    appendFsync: await setting(node, 'appendfsync'),
  };
}

/** Of a setting; `null` where the user may not ask or the server hides it. */
export async function setting(client: Client, name: string): Promise<string | null> {
  const answer = (await permitted(() => client.call('CONFIG', ['GET', name]))) as readonly string[] | null;
  return answer?.[1] ?? null;
}

/** `null` for what the server refuses to this user, or does not know. */
async function permitted<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (isServerError(error) && problemOf(error).kind !== 'login' && problemOf(error).kind !== 'away') return null;
    throw error;
  }
}

function fieldsOf(info: string): Map<string, string> {
  return new Map([...info.matchAll(/^([a-z0-9_]+):(.*?)\r?$/gm)].map(([, name, value]) => [name as string, value as string]));
}

/** Is the connection encrypted, and does anybody look at who answers? */
export function* encryptionFindings({ sslMode, node, sentinels, cluster }: Endpoint): Iterable<Finding> {
  const isLocal = sentinels === null && cluster === null && /^(localhost$|127\.|::1$|\/)/.test(node.host);
  if (sslMode === 'disable' && !isLocal) yield warning('encryption', 'the connection is not encrypted', 'Set `tls: true`.');
  if (sslMode === 'require')
    yield warning(
      'encryption',
      'the connection is encrypted, but nobody checks who answers',
      'Set `tls.ca` in place of `tls.verify: false`.',
    );
}

/**
 * Tries commands that are wrong beyond their number of arguments: who may not use them or the key is told so, and to everybody
 * else the server says what is wrong with them. Nothing is written.
 */
const PROBE = new Script(`
local refused = {}
for line in string.gmatch(ARGV[1], '[^\\n]+') do
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word end
  table.insert(words, 2, KEYS[1])
  local result = redis.pcall(unpack(words))
  if type(result) == 'table' and result.err and (string.find(result.err, 'NOPERM') or string.find(result.err, 'ACL failure') or string.find(result.err, 'user executing') or string.find(result.err, 'permissions')) then
    refused[#refused + 1] = words[1]
  end
end
return refused
`);

/** The commands among `lines` (`XADD MAXLEN x * a b`, without the key) that the user may not use on the key. */
export async function refusedCommands(client: Client, key: string, lines: readonly string[]): Promise<readonly string[]> {
  try {
    return (await PROBE.run(client, [key], [lines.join('\n')])) as readonly string[];
  } catch (cause) {
    if (problemOf(cause).kind === 'permission') return [`EVAL and EVALSHA, or the key ${key}`];
    throw cause;
  }
}

/** What there is to say about durability. `what`: is lost by a crash or an eviction. */
export function* durabilityFindings(facts: ServerFacts): Iterable<Finding> {
  if (facts.appendOnly === false)
    yield warning(
      'durability',
      'the server has no append-only file: a crash loses what was written since its last snapshot. The pipeline then goes on from the older place, if its source still holds it',
      'Set `appendonly yes` and `appendfsync always` at the server, or `wait_replicas`.',
    );
  else if (facts.appendFsync !== null && facts.appendFsync !== 'always')
    yield warning(
      'durability',
      `the server runs with appendfsync ${facts.appendFsync}: a crash of its machine may lose the last second`,
      'Set `appendfsync always` at the server, or `wait_replicas`.',
    );
}

export function* serverFindings(facts: ServerFacts, server: string, code: ErrorCode): Iterable<Finding> {
  yield ok('reachable', `Redis ${facts.version ?? '(it does not tell its version)'} at ${server}`);
  if (facts.version !== null && Number.parseInt(facts.version, 10) < 5)
    yield error('version', `version ${facts.version} is too old`, 'Use Redis 5 or later.', code);
  if (facts.isReplica)
    yield error('writable', 'the server is a replica, which cannot be written', 'Connect to the master, or write `sentinel`.', code);
}
