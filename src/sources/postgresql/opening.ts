// From a stored position, or none, to a stream that goes on there: is this the server, is this the slot, has anything been
// forgotten. Never a silent gap: what cannot be served is an error with choices.

import { CdcError, type PluginStore, type Position, type SnapshotProgress, type SourceContext } from '../../sdk/index.ts';
import { assertAllAreRead } from '../../streaming/lost-history.ts';
import { READ_AS_IT_IS } from './broken-rows.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import { formatLsn } from './lsn.ts';
import { tableFilter } from './names.ts';
import { confirmable, parsePlace, positionAfter, reachOf } from './position.ts';
import type { Publication, Publishing } from './publishing.ts';
import { historyProblem, identify, timelineHistory } from './replication/history.ts';
import { openConnection, openStream } from './replication/open.ts';
import { createSlot, dropSlot, keepOnStandbysCommand, lookAtSlot, slotProblem } from './replication/slot.ts';
import type { ReplicationConnection } from './replication/socket.ts';
import type { ReplicationStream } from './replication/stream.ts';
import { loadHistory, type SchemaHistory } from './schema-history.ts';
import { nameOf } from './schemas.ts';
import type { Server } from './server.ts';

/**
 * Frames that may wait while the pipeline is busy; beyond it the server waits. Little: what outlives two small collections of V8 is given
 * back by its large ones only, so that with 16 MB here some 50 MB more were resident.
 */
const MAX_WAITING_BYTES = 1 << 20;

export interface Opening extends Pick<Publication, 'tables' | 'sends' | 'isRaw'> {
  readonly stream: ReplicationStream;
  /** Everything before it is done. */
  readonly from: Position;
  /** No position was stored, or what was stored is lost and everything is read anew. */
  readonly isNew: boolean;
  readonly history: SchemaHistory;
  /** What is to be read anew, because changes of it were lost. */
  readonly isAnew: boolean;
}

/** What positions belong to. Stored before the first of them is. */
interface Identity {
  readonly systemId: string;
  readonly timeline: number;
}
/** The slot as we made it; `consistentPoint` is `null` from before it is made until after. */
interface OwnSlot {
  readonly name: string;
  readonly consistentPoint: string | null;
}

export async function load<T>(store: PluginStore, key: string): Promise<T | null> {
  const bytes = await store.get(key);
  return bytes === null ? null : (JSON.parse(Buffer.from(bytes).toString()) as T);
}
const save = (store: PluginStore, key: string, value: unknown): Promise<void> => store.set(key, Buffer.from(JSON.stringify(value)));

export class Opener {
  readonly #server: Server;
  readonly #config: PostgresqlSourceConfig;
  readonly #ctx: SourceContext;
  readonly #publishing: Publishing;

  constructor(server: Server, config: PostgresqlSourceConfig, ctx: SourceContext, publishing: Publishing) {
    this.#server = server;
    this.#config = config;
    this.#ctx = ctx;
    this.#publishing = publishing;
  }

  /** `progress`: of snapshots. */
  async open(stored: Position | null, progress: readonly SnapshotProgress[], signal: AbortSignal): Promise<Opening> {
    const { place } = this.#server,
      at = stored === null ? null : parsePlace(stored);
    if (stored !== null && at === null)
      throw new CdcError('STATE_CORRUPT', `"${stored}" is no position of this source.`, { where: place.where, fix: 'Restore the state.' });
    const gone = await this.#lossOf(stored, signal),
      isAsked = this.#config.snapshot_mode === 'when_needed';
    // Before anything is made at what may be another server.
    if (gone !== null && !isAsked) throw gone;
    const publication = await this.#publishing.open(stored === null || gone !== null ? null : progress, signal),
      { tables, sends, isRaw } = publication;
    const lost = gone ?? publication.lost;
    if (lost !== null) {
      if (!isAsked) throw lost;
      const isRead = tableFilter(this.#config.snapshot.tables);
      assertAllAreRead(lost, tables.filter((t) => !isRead(t.schema, t.table)).map(nameOf), place.where);
      // Positions of before must not cover what comes: lanes would take it for what they had.
      if (at !== null && (await this.#server.end(signal)) <= at.commit) throw lost;
      this.#ctx.logger.warn('the history of the source is lost: everything is read again', { reason: lost.message });
      await this.#server.use(signal, (session) => dropSlot(session, this.#server.slot, this.#ctx.clock));
    }
    const isNew = stored === null || lost !== null;
    // Behind the end of a slot that cannot be gone on with, and before the next one is made.
    await this.#publishing.save(publication, isNew, signal);
    const from = isNew ? await this.#start(signal) : stored;
    const history = await loadHistory(this.#ctx.store);
    if (lost !== null) history.clear();
    const stream = await this.#stream(from, isNew, isRaw, signal);
    return { stream, from, isNew, isAnew: lost !== null, history, tables, sends, isRaw };
  }

  /** Does the slot show that positions have been confirmed which our own store knows nothing of? `null`: nothing is forgotten. */
  async acknowledged(): Promise<bigint | null> {
    const slot = await this.#server.use(null, (session) => lookAtSlot(session, this.#server.slot));
    if (slot === null || slot.confirmedLsn === null) return null;
    const own = await load<OwnSlot>(this.#ctx.store, 'slot');
    const isUntouched = own?.name === slot.name && (own.consistentPoint === null || own.consistentPoint === formatLsn(slot.confirmedLsn));
    return isUntouched ? null : slot.confirmedLsn;
  }

  /** Why reading cannot go on behind `from`; `null`: it can, or begins. */
  async #lossOf(from: Position | null, signal: AbortSignal): Promise<CdcError | null> {
    const { slot: name, place } = this.#server;
    const { slot, database } = await this.#server.use(signal, async (session) => ({
      slot: await lookAtSlot(session, name),
      database: (await session.query('SELECT current_database() AS name')).rows[0]?.['name'] ?? '',
    }));
    const problem = slotProblem(slot, { name, database, from: from === null ? null : confirmable(from), where: place.where });
    const diverged = problem === null && from !== null ? await this.#divergence(from, signal) : null;
    if (diverged !== null) return diverged;
    if (problem !== null && problem.code !== 'SOURCE_POSITION_GONE') throw problem;
    return problem;
  }

  async #divergence(from: Position, signal: AbortSignal): Promise<CdcError | null> {
    return this.#asReplica(signal, (connection) => this.#divergenceAt(from, connection));
  }

  async #divergenceAt(from: Position, connection: ReplicationConnection): Promise<CdcError | null> {
    const known = await load<Identity>(this.#ctx.store, 'identity');
    if (known === null) return null;
    const now = await identify(connection);
    const history = known.timeline === now.timeline ? [] : await timelineHistory(connection, now.timeline);
    return historyProblem({ ...known, lsn: reachOf(from) }, now, history, this.#server.place.where);
  }

  /** Where capture begins: at a slot that is made now, or at one that waits there and has been confirmed up to somewhere. */
  async #start(signal: AbortSignal): Promise<Position> {
    const { slot: name } = this.#server,
      { store } = this.#ctx;
    const slot = await this.#server.use(signal, (session) => lookAtSlot(session, name));
    if (slot !== null) return positionAfter(slot.confirmedLsn ?? 0n);
    // A crash right behind this leaves a slot that is ours, and untouched: the next start says so by this record.
    await save(store, 'slot', { name, consistentPoint: null } satisfies OwnSlot);
    const { consistentPoint } = await this.#asReplica(signal, (connection) =>
      createSlot(connection, { name, failover: this.#config.failover, exportSnapshot: false }, signal),
    );
    await save(store, 'slot', { name, consistentPoint: formatLsn(consistentPoint) } satisfies OwnSlot);
    return positionAfter(consistentPoint);
  }

  /** A slot that was made without `failover` gets it now, before it is read from: the server refuses that for one in use. */
  async #keepOnStandbys(connection: ReplicationConnection, signal: AbortSignal): Promise<void> {
    const { slot: name, place } = this.#server;
    const slot = await this.#server.use(signal, (session) => lookAtSlot(session, name));
    if (slot === null || slot.failover === true) return;
    if (slot.failover === null)
      throw new CdcError('SOURCE_MISCONFIGURED', `The replication slot "${name}" cannot outlive a failover: that needs PostgreSQL 17.`, {
        where: place.where,
        fix: 'Set `failover: false`.',
      });
    await connection.query(keepOnStandbysCommand(name), signal);
    this.#ctx.logger.info('the replication slot is kept in step on standbys from now on', { slot: name });
  }

  async #asReplica<T>(signal: AbortSignal, work: (connection: ReplicationConnection) => Promise<T>): Promise<T> {
    const connection = await openConnection(this.#server.login, this.#server.place, signal);
    try {
      return await work(connection);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#server.error(error);
    } finally {
      await connection.close();
    }
  }

  async #stream(from: Position, isNew: boolean, isRaw: boolean, signal: AbortSignal): Promise<ReplicationStream> {
    const { slot, publication, place, login } = this.#server,
      { clock, logger, store } = this.#ctx;
    const { stream } = await openStream(
      login,
      {
        slot,
        publications: [publication.name],
        from: confirmable(from),
        statusIntervalMs: this.#config.status_interval,
        maxBytes: MAX_WAITING_BYTES,
        clock,
        logger,
        place,
      },
      // Looked at once more on the connection that streams: another server may answer by now.
      async ({ systemId, timeline }, connection) => {
        const diverged = isNew ? null : await this.#divergenceAt(from, connection);
        if (diverged !== null) throw diverged;
        await save(store, 'identity', { systemId, timeline } satisfies Identity);
        if (this.#config.failover) await this.#keepOnStandbys(connection, signal);
        if (isRaw) await connection.query(READ_AS_IT_IS);
      },
      signal,
    );
    return stream;
  }
}
