// What the tests of the source's connection share: a database with a publication, slots that are dropped, streams that end.

import { randomBytes } from 'node:crypto';
import { silentLogger, systemClock } from '../../../src/sdk/index.ts';
import { SourceConnections } from '../../../src/sources/postgresql/connection.ts';
import { lsnOf } from '../../../src/sources/postgresql/lsn.ts';
import type { Frames } from '../../../src/sources/postgresql/replication/frames.ts';
import { openConnection, openStream } from '../../../src/sources/postgresql/replication/open.ts';
import { createSlot, dropSlot, type NewSlot } from '../../../src/sources/postgresql/replication/slot.ts';
import type { Login } from '../../../src/sources/postgresql/replication/socket.ts';
import { XLOG_DATA, XLOG_HEADER_BYTES } from '../../../src/sources/postgresql/replication/status.ts';
import type { ReplicationStream } from '../../../src/sources/postgresql/replication/stream.ts';
import type { StreamSettings } from '../../../src/sources/postgresql/replication/stream-settings.ts';
import type { ConnectionConfig } from '../../../src/systems/postgresql/config.ts';
import { endpointOf } from '../../../src/systems/postgresql/endpoint.ts';
import { createDatabase, type TestDatabase } from '../../helpers/postgres.ts';

export const never = new AbortController().signal;

export const loginOf = (keys: Partial<ConnectionConfig>, env: NodeJS.ProcessEnv = {}): Login => ({
  endpoint: endpointOf({ application_name: 'cdc-run test', ...keys } as ConnectionConfig, env),
  connectionTimeoutMs: 10_000,
});

export class World implements AsyncDisposable {
  readonly db: TestDatabase;
  /** Of the slot and the publication. */
  readonly name = `cdc_test_${randomBytes(6).toString('hex')}`;
  readonly login: Login;
  readonly connections: SourceConnections;
  readonly #streams: ReplicationStream[] = [];
  readonly #slots = new Set<string>();

  private constructor(db: TestDatabase) {
    this.db = db;
    this.login = loginOf({ url: db.url });
    this.connections = connectionsOf(this.login);
  }

  /** A table `items(id, name)` in a publication. */
  static async create(): Promise<World> {
    const world = new World(await createDatabase());
    await world.db.query('CREATE TABLE items (id int PRIMARY KEY, name text)');
    await world.db.query(`CREATE PUBLICATION ${world.name} FOR TABLE items`);
    return world;
  }

  settings(more: Partial<StreamSettings> = {}): StreamSettings {
    return {
      slot: this.name,
      publications: [this.name],
      from: 0n,
      statusIntervalMs: 10_000,
      maxBytes: 4 << 20,
      clock: systemClock,
      logger: silentLogger,
      place: { server: 'the test server', where: 'source "orders"', slot: this.name },
      ...more,
    };
  }

  async createSlot(name = this.name): Promise<NewSlot> {
    this.#slots.add(name);
    const connection = await openConnection(this.login, this.settings().place, null);
    try {
      return await createSlot(connection, { name, failover: false, exportSnapshot: false }, null);
    } finally {
      await connection.close();
    }
  }

  /** A slot that the test makes itself is dropped, too. */
  owns(name: string): void {
    this.#slots.add(name);
  }

  async stream(more: Partial<StreamSettings> = {}, login = this.login, busyTimeoutMs = 10_000): Promise<ReplicationStream> {
    const { stream } = await openStream(login, this.settings(more), async () => undefined, never, busyTimeoutMs);
    this.#streams.push(stream);
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#streams.map((stream) => stream.close()));
    await this.connections.use(null, async (session) => {
      for (const name of this.#slots) await dropSlot(session, name, systemClock);
    });
    await this.connections.close();
    await this.db[Symbol.asyncDispose]();
  }
}

export const connectionsOf = ({ endpoint }: Login, more: { lockTimeoutMs?: number; statementTimeoutMs?: number } = {}): SourceConnections =>
  new SourceConnections(
    endpoint,
    {
      maxConnections: 4,
      minConnections: 0,
      connectionTimeoutMs: 10_000,
      idleTimeoutMs: 10_000,
      statementTimeoutMs: 0,
      lockTimeoutMs: 0,
      ...more,
    },
    silentLogger,
  );

/** Kind of a pgoutput message and its LSN, as in `I 0/1600000`. */
export function messages(frames: Frames): { kind: string; lsn: bigint; body: Buffer }[] {
  const found: { kind: string; lsn: bigint; body: Buffer }[] = [];
  for (let i = 0; i < frames.count; i++) {
    const start = frames.starts[i] as number,
      end = frames.ends[i] as number;
    const lsn = lsnOf(frames.bytes.readUInt32BE(start + 1), frames.bytes.readUInt32BE(start + 5));
    if (frames.bytes[start] !== XLOG_DATA) continue;
    const body = frames.bytes.subarray(start + XLOG_HEADER_BYTES, end);
    found.push({ kind: String.fromCharCode(body[0] as number), lsn, body });
  }
  return found;
}

/** Reads until `enough` kinds of messages have come. */
export async function readUntil(stream: ReplicationStream, enough: (kinds: string) => boolean): Promise<string> {
  let kinds = '';
  while (!enough(kinds)) {
    const frames = await stream.next(never);
    if (frames === null) break;
    kinds += messages(frames)
      .map((m) => m.kind)
      .join('');
  }
  return kinds;
}

/** Before 15 a transaction that changed nothing of ours comes, too. */
export const withoutEmpty = (kinds: string): string => kinds.replaceAll('BC', '');
