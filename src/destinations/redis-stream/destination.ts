// The destination as the engine sees it: one script per batch, which appends and moves the point.

import type { RecordEncoder } from '../../formats/messages.ts';
import {
  CdcError,
  type Committed,
  type DestinationContext,
  type Finding,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type WriteResult,
} from '../../sdk/index.ts';
import type { Client } from '../../systems/redis/client.ts';
import { Connections } from '../../systems/redis/connections.ts';
import { endpointOf } from '../../systems/redis/endpoint.ts';
import { LanePoints } from '../../systems/redis/lane-points.ts';
import { bulkLimit } from '../../systems/redis/server.ts';
import { commonTag } from '../../systems/redis/template.ts';
import { APPEND } from './append-script.ts';
import { findings } from './check.ts';
import { type RedisStreamConfig, streamParts } from './config.ts';
import { encodeAppend } from './encode.ts';
import { StreamNames } from './stream-name.ts';

export function createDestination(
  config: RedisStreamConfig,
  ctx: DestinationContext,
  encoder: RecordEncoder,
  env: NodeJS.ProcessEnv,
): RedisStreamDestination {
  const connections = new Connections(endpointOf(config, env), `cdc-run:${ctx.pipeline}:${ctx.name}`);
  return new RedisStreamDestination(config, ctx, encoder, connections);
}

export class RedisStreamDestination implements PointHoldingDestination {
  readonly #config: RedisStreamConfig;
  readonly #encoder: RecordEncoder;
  readonly #connections: Connections;
  readonly #points: LanePoints;
  readonly #names: StreamNames;
  readonly #where: string;
  #maxBytes: number | null = null;

  constructor(config: RedisStreamConfig, ctx: DestinationContext, encoder: RecordEncoder, connections: Connections) {
    const parts = streamParts(config);
    this.#config = config;
    this.#encoder = encoder;
    this.#connections = connections;
    this.#names = new StreamNames(parts);
    this.#where = `destination "${ctx.name}"`;
    this.#points = new LanePoints({
      connections,
      tag: config.cluster === undefined ? null : commonTag(parts),
      replicas: { count: config.wait_replicas, timeoutMs: config.wait_timeout },
      where: this.#where,
    });
  }

  check(): AsyncIterable<Finding> {
    return findings(this.#config, this.#points);
  }

  committed(lane: LaneId): Promise<Committed> {
    return this.#points.committed(lane);
  }

  claim(lane: LaneId, epoch: number): Promise<void> {
    return this.#points.claim(lane, epoch);
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    return this.#points.setPoints(lane, epoch, points);
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    this.#maxBytes ??= await this.#points.use(signal, false, bulkLimitOf);
    const formatted = await this.#encoder.encode(batch, ({ table }, topic) => this.#names.nameOf(table, topic), signal);
    if (formatted.failed.length > 0) return { kind: 'refused', failed: formatted.failed };
    const { streams, args, failed } = encodeAppend(batch, formatted.records, this.#names, this.#maxBytes);
    if (failed.length > 0) return { kind: 'refused', failed };
    const result = await this.#points.store(batch, signal, APPEND, streams, [this.#config.max_length ?? 0, ...args]);
    if (result[0] === 'ok') return { kind: 'stored' };
    const [, key, type] = result as readonly string[];
    throw new CdcError('DESTINATION_MISCONFIGURED', `The key ${key} holds a ${type}, not a stream. Nothing was written.`, {
      where: this.#where,
      fix: 'Choose another `stream_name`, or remove the key.',
    });
  }

  async close(): Promise<void> {
    await this.#connections.close();
    await this.#encoder.close();
  }
}

const bulkLimitOf = (client: Client): Promise<number> => bulkLimit(client);
