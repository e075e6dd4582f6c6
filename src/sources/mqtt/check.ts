// What can be found out before anything is read: reachable, encryption, the right to read the topics. With a client id of its own, so that
// the session is left alone.

import { randomBytes } from 'node:crypto';
import type { CdcError, Finding } from '../../sdk/index.ts';
import { cut, openClient } from '../../systems/mqtt/client.ts';
import type { Endpoint } from '../../systems/mqtt/endpoint.ts';
import { brokerFindings, error, ok } from '../../systems/mqtt/findings.ts';
import { filtersOf, type MqttSourceConfig } from './config.ts';
import { unshared } from './filters.ts';
import { subscribe } from './subscribe.ts';

/** Never throws for what it can name. */
export async function* findings(
  config: MqttSourceConfig,
  endpoint: Endpoint,
  classified: (error: unknown) => CdcError,
): AsyncIterable<Finding> {
  const clientId = `cdc-check-${randomBytes(6).toString('hex')}`,
    // As a member of a shared subscription it would take messages from the others.
    filters = filtersOf(config).map(unshared);
  try {
    const { client } = await openClient(endpoint, { clientId, clean: true, expirySeconds: 0, receiveMaximum: 1 }, () => {});
    yield* brokerFindings(endpoint);
    try {
      await subscribe(client, filters, { qos: 0, ignoresRetained: true, version: endpoint.version });
      yield ok('topics', `the user may read ${filters.join(', ')}`);
    } catch (cause) {
      const { code, message, fix } = classified(cause);
      yield error('topics', message, fix ?? 'Look at the broker.', code);
    } finally {
      cut(client);
    }
  } catch (cause) {
    const { code, message, fix } = classified(cause);
    yield error('reachable', message, fix ?? 'Look at the broker.', code);
  }
}
