// Who we are to the server: a number that no other replica may have, and a UUID. Made once and kept.

import { createHash } from 'node:crypto';
import type { SourceContext } from '../../sdk/index.ts';
import type { MysqlSourceConfig } from './config.ts';

export interface ReplicaIdentity {
  readonly serverId: number;
  readonly uuid: string;
}

const KEY = 'replica';
/** Numbers that people give are small ones: ours begin here. */
const FIRST_NUMBER = 0x4000_0000,
  NUMBERS = 0x7fff_0000;

export async function replicaIdentity(
  config: Pick<MysqlSourceConfig, 'server_id' | 'binlog_config'>,
  { store, random, pipeline, name }: Pick<SourceContext, 'store' | 'random' | 'pipeline' | 'name'>,
): Promise<ReplicaIdentity> {
  const bytes = await store.get(KEY);
  let seed = bytes === null ? '' : Buffer.from(bytes).toString();
  if (seed === '') {
    seed = Array.from({ length: 4 }, () =>
      Math.floor(random() * 0x1_0000_0000)
        .toString(16)
        .padStart(8, '0'),
    ).join('');
    await store.set(KEY, Buffer.from(seed));
  }
  const hash = createHash('sha256')
      .update(JSON.stringify([pipeline, name, seed]))
      .digest(),
    hex = hash.toString('hex');
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  return { serverId: config.server_id ?? config.binlog_config?.server_id ?? FIRST_NUMBER + (hash.readUInt32BE(0) % NUMBERS), uuid };
}
