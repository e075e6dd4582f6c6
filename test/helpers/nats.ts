// A real NATS for integration tests: where it is, why it is not there, names of each test's own, and a proxy before it.

import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import type { NatsDestinationConfig } from '../../src/destinations/nats/config.ts';
import type { NatsSourceConfig } from '../../src/sources/nats/config.ts';
import { PostgresProxy, type ProxyOptions } from './postgres-proxy.ts';

/** `nats` has atomic batches, `nats@2.9` has not. */
export type NatsName = 'nats' | 'nats@2.9';

/** The servers that are there; for each other one a printed reason, and an error where `CI` is set. */
export async function natsServers(...names: readonly NatsName[]): Promise<NatsName[]> {
  const there: NatsName[] = [];
  for (const name of names) {
    if ((await serviceUrl(name)) !== null) {
      there.push(name);
      continue;
    }
    const reason = `no ${name} for tests: run \`npm run services up ${name}\``;
    if (process.env['CI']) throw new Error(reason);
    console.warn(`SKIPPED: ${reason}`);
  }
  return there;
}

let places = 0;

/** Names of a test's own in a server; its streams go away with its `await using` scope. */
export class NatsPlace implements AsyncDisposable {
  readonly url: string;
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  /** First word of the subjects, and, in capitals, the stream. */
  readonly name: string;

  private constructor(url: string, nc: NatsConnection, jsm: JetStreamManager) {
    this.url = url;
    this.nc = nc;
    this.jsm = jsm;
    this.name = `t${process.pid}x${++places}x${Math.random().toString(36).slice(2, 7)}`;
  }

  static async open(server: NatsName): Promise<NatsPlace> {
    return NatsPlace.at((await serviceUrl(server)) ?? '');
  }

  static async at(url: string): Promise<NatsPlace> {
    const { host, username: user, password: pass } = new URL(url);
    const nc = await connect({ servers: host, user, pass, maxReconnectAttempts: -1, reconnectTimeWait: 100, waitOnFirstConnect: true });
    return new NatsPlace(url, nc, await jetstreamManager(nc, { checkAPI: false }));
  }

  get stream(): string {
    return this.name.toUpperCase();
  }

  /** Messages of the stream in order, those of points left out. */
  async messages(stream = this.stream): Promise<{ subject: string; data: Uint8Array; id: string; key: string; seq: number }[]> {
    const found = [];
    const { state } = await this.jsm.streams.info(stream);
    for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
      const m = await this.jsm.streams.getMessage(stream, { seq });
      if (m === null || m.subject.startsWith('cdc_run.point.')) continue;
      found.push({ subject: m.subject, data: m.data, id: m.header.get('Nats-Msg-Id'), key: m.header.get('Cdc-Key'), seq: m.seq });
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const names = await this.jsm.streams
      .names()
      .next()
      .catch(() => []);
    for (const name of names) if (name.startsWith(this.stream)) await this.jsm.streams.delete(name).catch(() => undefined);
    await this.nc.close();
  }
}

/** The server takes a batch with this. */
const isCommit = (chunk: Buffer): boolean => chunk.includes('Nats-Batch-Commit') || chunk.includes('Nats-Msg-Id');

export function natsProxy(url: string, options: ProxyOptions = {}): Promise<PostgresProxy> {
  return PostgresProxy.start(url, { isCommit, ...options });
}

const CONNECTION = { connection_timeout: 2000, request_timeout: 2000 };

/** As the loader hands it over. */
export function natsDestinationConfig(url: string, changes: Partial<NatsDestinationConfig> = {}): NatsDestinationConfig {
  return {
    url,
    ...CONNECTION,
    subject: 'cdc.{topic}',
    create_stream: true,
    stream_defaults: { storage: 'file', replicas: 1, max_age: 0, discard: 'old', duplicate_window: 120_000 },
    atomic: true,
    max_in_flight: 4000,
    on_schema_error: 'wait',
    ...changes,
  } as NatsDestinationConfig;
}

/** As the loader hands it over. */
export function natsSourceConfig(url: string, changes: Partial<NatsSourceConfig> = {}): NatsSourceConfig {
  return {
    url,
    ...CONNECTION,
    mode: 'jetstream',
    create_stream: true,
    initial_position: 'earliest',
    ack_wait: 10_000,
    max_ack_pending: 10_000,
    max_deliveries: null,
    envelope: 'row',
    ...changes,
  } as NatsSourceConfig;
}
