// Three servers of NATS in one cluster, of the test's own, that may be killed one by one.

import { type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { eventually } from './eventually.ts';
import { OwnNats } from './own-nats.ts';
import { ownPorts } from './own-ports.ts';

/** On a busy machine votes are lost, and each election takes some seconds. */
export const ELECTIONS_MS = 120_000;

export class NatsCluster implements AsyncDisposable {
  /** Their names at the cluster are `n0`, `n1`, `n2`. */
  readonly nodes: readonly OwnNats[];
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;

  private constructor(nodes: readonly OwnNats[], nc: NatsConnection, jsm: JetStreamManager) {
    this.nodes = nodes;
    this.nc = nc;
    this.jsm = jsm;
  }

  /** Resolves once it makes streams of three replicas. */
  static async start(): Promise<NatsCluster> {
    const routes = await ownPorts(3),
      ports = [0, 1, 2].map((i) => routes + i),
      known = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', '),
      nodes: OwnNats[] = [];
    for (const [i, port] of ports.entries()) {
      const cluster = `cluster: {name: three, listen: "127.0.0.1:${port}", routes: [${known}]}`;
      nodes.push(await OwnNats.start({ settings: [`server_name: n${i}`, cluster], isSilent: true }));
    }
    const options = { maxReconnectAttempts: -1, reconnectTimeWait: 50, timeout: 2000 },
      nc = await connect({ servers: nodes.map(({ port }) => `127.0.0.1:${port}`), ...options }),
      cluster = new NatsCluster(nodes, nc, await jetstreamManager(nc, { checkAPI: false }));
    await eventually(
      async () => {
        await cluster.jsm.streams.add({ name: 'READY', subjects: ['ready'], num_replicas: 3 });
        return cluster.jsm.streams.delete('READY');
      },
      'a cluster',
      ELECTIONS_MS,
    );
    return cluster;
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** The node that leads the stream. */
  async leaderOf(stream: string): Promise<OwnNats> {
    const { cluster } = await this.jsm.streams.info(stream);
    const leader = this.nodes[Number(cluster?.leader?.slice(1))];
    if (leader === undefined) throw new Error(`${stream} has no leader`);
    return leader;
  }

  /** Resolves once the stream has a leader and all replicas are as far as it is. */
  async whole(stream: string): Promise<StreamInfo> {
    let found: StreamInfo | null = null;
    await eventually(
      async () => {
        found = await this.jsm.streams.info(stream);
        const { leader, replicas = [] } = found.cluster ?? {};
        return leader !== undefined && replicas.length === 2 && replicas.every((r) => r.current && !r.offline);
      },
      `all replicas of ${stream}`,
      ELECTIONS_MS,
    );
    return found as unknown as StreamInfo;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nc.close();
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
  }
}
