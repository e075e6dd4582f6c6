// What can be found out before anything is written: reachable, JetStream, the version, the stream and its settings.

import type { Finding } from '../../sdk/index.ts';
import { describeServers, serversOf } from '../../systems/nats/config.ts';
import type { Connections } from '../../systems/nats/connections.ts';
import type { NatsDestinationConfig } from './config.ts';
import { classify } from './errors.ts';
import type { TargetStream } from './stream.ts';

/** Never throws for what it can name. */
export async function* findings(
  config: NatsDestinationConfig,
  connections: Connections,
  stream: TargetStream,
  point: string | null,
  where: string,
): AsyncIterable<Finding> {
  const server = describeServers(config);
  try {
    yield* await connections.use(null, async (session) => {
      const { version, jsm } = session.connected;
      await jsm.getAccountInfo();
      const found: Finding[] = [{ level: 'ok', check: 'reachable', message: `NATS ${version.join('.')} with JetStream at ${server}` }];
      if (!isEncrypted(config) && !isLocal(config))
        found.push({ level: 'warning', check: 'encryption', message: 'the connection may not be encrypted', fix: 'Set `tls: true`.' });
      return [...found, ...(await stream.findings(session, point))];
    });
  } catch (error) {
    const { code, message, fix } = classify(error, server, where, false);
    yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look at the log of the server.' };
  }
}

const isEncrypted = (config: NatsDestinationConfig): boolean =>
  (config.tls !== undefined && config.tls !== false) || serversOf(config).every((s) => s.startsWith('tls://'));

const isLocal = (config: NatsDestinationConfig): boolean =>
  describeServers(config)
    .split(', ')
    .every((host) => /^(localhost|127\.|\[::1\])/.test(host));
