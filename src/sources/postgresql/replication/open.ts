// Opens a stream: login, a look at who answers, START_REPLICATION. A slot that is in use is waited for, within bounds.

import { CdcError } from '../../../sdk/index.ts';
import { sourceError } from '../errors.ts';
import { identify, type SystemIdentity } from './history.ts';
import { type Login, ReplicationConnection } from './socket.ts';
import { ReplicationStream } from './stream.ts';
import type { StreamSettings } from './stream-settings.ts';

/**
 * The walsender of a process that was killed lives on until it misses us: `wal_sender_timeout`, a minute by default. Who
 * still holds the slot after that is alive.
 */
export const BUSY_TIMEOUT_MS = 75_000;
const BUSY_PAUSE_MS = 500;

export interface OpenedStream {
  readonly stream: ReplicationStream;
  readonly identity: SystemIdentity;
}

/** Asked before the stream begins: throws when this is not the server that our position belongs to. */
export type Verify = (identity: SystemIdentity, connection: ReplicationConnection) => Promise<void>;

/** Throws `CdcError`; on abort the signal's reason. */
export async function openStream(
  login: Login,
  settings: StreamSettings,
  verify: Verify,
  signal: AbortSignal,
  busyTimeoutMs = BUSY_TIMEOUT_MS,
): Promise<OpenedStream> {
  const { clock } = settings,
    giveUpAt = clock.now() + busyTimeoutMs;
  for (;;) {
    try {
      return await tryOpen(login, settings, verify, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof CdcError) || error.code !== 'SOURCE_IN_USE') throw error;
      if (clock.now() + BUSY_PAUSE_MS > giveUpAt) throw stillInUse(error, busyTimeoutMs);
      settings.logger.info('the replication slot is in use, waiting for it', { slot: settings.slot });
    }
    await clock.sleep(BUSY_PAUSE_MS, signal);
  }
}

async function tryOpen(login: Login, settings: StreamSettings, verify: Verify, signal: AbortSignal): Promise<OpenedStream> {
  const connection = await openConnection(login, settings.place, signal);
  let identity: SystemIdentity;
  try {
    identity = await identify(connection, signal);
    await verify(identity, connection);
  } catch (error) {
    connection.destroy();
    signal.throwIfAborted();
    throw sourceError(error, settings.place);
  }
  return { stream: await ReplicationStream.start(connection, settings, signal), identity };
}

/** A connection in replication mode, for slots and identities. Throws `CdcError`; on abort the signal's reason. */
export async function openConnection(
  login: Login,
  place: StreamSettings['place'],
  signal: AbortSignal | null,
): Promise<ReplicationConnection> {
  try {
    return await ReplicationConnection.open(login, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw sourceError(error, place);
  }
}

/** Not tried again: two readers that take turns would each miss half of the changes. */
function stillInUse(error: CdcError, waitedMs: number): CdcError {
  const { code, where, fix } = error;
  return new CdcError(code, `${error.message} Waited ${Math.round(waitedMs / 1000)} s for it.`, {
    ...(where === null ? {} : { where }),
    ...(fix === null ? {} : { fix }),
    cause: error,
  });
}
