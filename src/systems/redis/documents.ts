// Texts under names in Redis, each swapped against the next at once: where the state of pipelines may be kept.
//
// | key | is |
// |---|---|
// | `cdc-run:state` | set of the names |
// | `cdc-run:state:orders` | hash: `text`, and each part as `part:<name>` |

import type { DocumentServer, DocumentSwap } from '../../sdk/document-server.ts';
import { CdcError, type Finding } from '../../sdk/index.ts';
import type { Client } from './client.ts';
import type { ConnectionConfig } from './config.ts';
import { Connections } from './connections.ts';
import { type ProblemKind, problemOf, withoutCommand } from './driver-errors.ts';
import { describeEndpoint, endpointOf } from './endpoint.ts';
import { Script, type ScriptArgument } from './script.ts';
import { error, serverFacts, warning } from './server.ts';

const NAMES = 'cdc-run:state';
const keyOf = (name: string): string => `${NAMES}:${name}`;

const SWAP = new Script(`
local text = redis.call('HGET', KEYS[1], 'text')
local first = text and string.match(text, '^[^\\n]*') or ''
if first ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'text', ARGV[2])
local removed = tonumber(ARGV[3])
for i = 4, 3 + removed do redis.call('HDEL', KEYS[1], 'part:' .. ARGV[i]) end
for i = 4 + removed, #ARGV, 2 do redis.call('HSET', KEYS[1], 'part:' .. ARGV[i], ARGV[i + 1]) end
return 1
`);

/** `timeoutMs`: how long a connection, or an answer, may take. */
export function redisDocuments(url: string, timeoutMs: number, env: NodeJS.ProcessEnv): DocumentServer {
  const config: ConnectionConfig = { url, connection_timeout: timeoutMs, command_timeout: timeoutMs };
  return new RedisDocuments(new Connections(endpointOf(config, env), 'cdc-run:state'));
}

class RedisDocuments implements DocumentServer {
  readonly address: string;
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
    this.address = `Redis at ${describeEndpoint(connections.endpoint)}`;
  }

  check(): Promise<readonly Finding[]> {
    return this.#use(async (client) => {
      const facts = await serverFacts(client, NAMES),
        found: Finding[] = [];
      if (facts.isReplica)
        found.push(error('writable', 'the server is a replica, which cannot be written', 'Name the master.', 'STATE_UNAVAILABLE'));
      if (facts.evicts?.startsWith('allkeys') === true)
        found.push(
          error(
            'eviction',
            `the server throws keys away when its memory is full (maxmemory-policy ${facts.evicts})`,
            'Set `maxmemory-policy noeviction` at the server.',
            'STATE_UNAVAILABLE',
          ),
        );
      if (facts.appendOnly === false)
        found.push(
          warning(
            'durability',
            'the server has no append-only file, so a crash of it takes the state back to its last snapshot: what was delivered since is delivered again',
            'Set `appendonly yes` at the server.',
          ),
        );
      return found;
    });
  }

  names(): Promise<readonly string[]> {
    return this.#use((client) => client.smembers(NAMES));
  }

  text(name: string): Promise<string | null> {
    return this.#use((client) => client.hget(keyOf(name), 'text'));
  }

  part(name: string, part: string): Promise<Uint8Array | null> {
    return this.#use(async (client) => {
      const bytes = await client.hgetBuffer(keyOf(name), `part:${part}`);
      return bytes && new Uint8Array(bytes);
    });
  }

  swap(name: string, { before, text, add, remove }: DocumentSwap): Promise<boolean> {
    return this.#use(async (client) => {
      // Before the text: a name without a text is nothing, a text without a name would not be found.
      if (before === null) await client.sadd(NAMES, name);
      const parts = add.flatMap((part): ScriptArgument[] => [part.name, Buffer.from(part.bytes)]);
      return (await SWAP.run(client, [keyOf(name)], [before ?? '', text, remove.length, ...remove, ...parts])) === 1;
    });
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await this.#connections.use(null, work);
    } catch (cause) {
      const { kind, detail } = problemOf(cause),
        { retriable, what, fix } = MEANINGS[kind] ?? OTHER;
      if (kind === 'broken' || kind === 'away') this.#connections.forget();
      throw new CdcError('STATE_UNAVAILABLE', `${this.address}, where state is kept, ${what}: ${detail}.`, {
        where: 'state.url',
        retriable,
        fix,
        cause: withoutCommand(cause),
      });
    }
  }
}

interface Meaning {
  readonly retriable: boolean;
  readonly what: string;
  readonly fix: string;
}

const AWAY = { retriable: true, fix: 'Start it, or correct state.url.' };
const OTHER: Meaning = { retriable: false, what: 'refuses to keep it', fix: 'Look at the log of the server.' };
const MEANINGS: { readonly [K in ProblemKind]?: Meaning } = {
  unreachable: { ...AWAY, what: 'cannot be reached' },
  broken: { ...AWAY, what: 'closed the connection' },
  away: { ...AWAY, what: 'cannot be written now' },
  full: { retriable: true, what: 'has no room', fix: 'Raise maxmemory of the server, or free disk space.' },
  certificate: {
    retriable: false,
    what: 'shows a certificate that is not accepted',
    fix: 'Name the host as its certificate does; set NODE_EXTRA_CA_CERTS to the certificate of its authority.',
  },
  login: { retriable: false, what: 'refuses the login', fix: 'Check user and password in state.url.' },
  permission: {
    retriable: false,
    what: 'refuses a command',
    fix: 'Grant the user EVAL, EVALSHA, HGET, HSET, HDEL, SADD and SMEMBERS on cdc-run:state*.',
  },
};
