// The connection to the one node of a cluster that holds a key, for commands that name no key.

import type { Redis } from 'ioredis';
import { CdcError } from '../../sdk/index.ts';
import type { Client } from './client.ts';
import { slotOf } from './slot.ts';

/** The same connection over which the driver sends what names the key. */
export function nodeOf(client: Client, key: string): Redis {
  if (!client.isCluster) return client as Redis;
  const cluster = client as unknown as { readonly slots: readonly (readonly string[])[]; nodes(role: 'master'): Redis[] };
  const wanted = cluster.slots[slotOf(key)]?.[0];
  const node = cluster.nodes('master').find(({ options }) => `${options.host}:${options.port}` === wanted);
  if (node !== undefined) return node;
  throw new CdcError('DESTINATION_UNREACHABLE', `No node of the cluster has the slot of ${key} now.`, {
    fix: 'Bring the node back.',
    retriable: true,
  });
}
