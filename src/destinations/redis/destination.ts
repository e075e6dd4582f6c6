// The destination as the engine sees it: one script per batch, which writes the keys and moves the point; in a cluster without a
// common hash tag one script per slot, and no point.

import type {
  Committed,
  DestinationContext,
  Finding,
  LaneBatch,
  LaneId,
  Logger,
  PointHoldingDestination,
  ResumePoint,
  WriteFailure,
  WriteResult,
} from '../../sdk/index.ts';
import { Connections } from '../../systems/redis/connections.ts';
import { stopped } from '../../systems/redis/destination-errors.ts';
import { endpointOf } from '../../systems/redis/endpoint.ts';
import { LanePoints } from '../../systems/redis/lane-points.ts';
import type { ScriptArgument } from '../../systems/redis/script.ts';
import { commonTag } from '../../systems/redis/template.ts';
import { findings } from './check.ts';
import { holdsPoint, modeOf, partsOf, type RedisConfig } from './config.ts';
import { type Encoded, encodeWrites, failuresOf } from './encode.ts';
import { KeyPattern } from './key-pattern.ts';
import { encodeMessages } from './messages.ts';
import { writeBySlot } from './slots.ts';
import { argumentsOf, PUBLISH, PUBLISH_FENCED, WRITE_FENCED } from './write-script.ts';

export function createDestination(config: RedisConfig, ctx: DestinationContext, env: NodeJS.ProcessEnv): RedisDestination {
  return new RedisDestination(config, ctx, new Connections(endpointOf(config, env), `cdc-run:${ctx.pipeline}:${ctx.name}`));
}

export class RedisDestination implements PointHoldingDestination {
  readonly #config: RedisConfig;
  readonly #connections: Connections;
  readonly #points: LanePoints;
  readonly #pattern: KeyPattern;
  readonly #logger: Logger;
  readonly #where: string;
  readonly #holdsPoint: boolean;
  #hasWarned = false;

  constructor(config: RedisConfig, ctx: DestinationContext, connections: Connections) {
    const parts = partsOf(config);
    this.#config = config;
    this.#connections = connections;
    this.#pattern = new KeyPattern(parts);
    this.#logger = ctx.logger;
    this.#where = `destination "${ctx.name}"`;
    this.#holdsPoint = holdsPoint(config);
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

  async committed(lane: LaneId): Promise<Committed> {
    return this.#holdsPoint ? this.#points.committed(lane) : { kind: 'untracked' };
  }

  claim(lane: LaneId, epoch: number): Promise<void> {
    return this.#points.claim(lane, epoch);
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    return this.#points.setPoints(lane, epoch, points);
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    if (signal.aborted) throw stopped(this.#where, signal.reason);
    const mode = modeOf(this.#config);
    if (mode === 'publish') return this.#publish(batch, signal);
    const encoded = encodeWrites(batch, { mode, pattern: this.#pattern, isOnce: this.#holdsPoint });
    if (encoded.failed.length > 0) return this.#refused(encoded.failed);
    this.#warnOf(encoded);
    const ttl = this.#config.ttl ?? 0;
    if (!this.#holdsPoint) return writeBySlot(this.#points, batch, encoded.writes, ttl, signal);
    const keys = encoded.writes.map((w) => w.key);
    const [word, ...missing] = await this.#points.store(batch, signal, WRITE_FENCED, keys, [ttl, ...argumentsOf(encoded.writes)]);
    if (word === 'ok') return { kind: 'stored' };
    return { kind: 'refused', failed: missing.flatMap((at) => failuresOf(batch, encoded.writes[Number(at)]?.events ?? [])) };
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #publish(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const { messages, failed } = encodeMessages(batch, this.#pattern);
    if (failed.length > 0) return this.#refused(failed);
    const args: ScriptArgument[] = messages.flat();
    if (this.#holdsPoint) await this.#points.store(batch, signal, PUBLISH_FENCED, [], args);
    else if (args.length > 0) await this.#points.use(signal, true, (client) => PUBLISH.run(client, [], args));
    return { kind: 'stored' };
  }

  /** Nothing was written. Who holds no point says so in the other form. */
  #refused(failed: readonly WriteFailure[]): WriteResult {
    return this.#holdsPoint ? { kind: 'refused', failed } : { kind: 'partial', written: [], failed };
  }

  #warnOf({ blind }: Encoded): void {
    if (blind === 0 || this.#hasWarned) return;
    this.#hasWarned = true;
    this.#logger.warn('updates do not tell the key that their row had in the cache: where it changes the old key stays', {
      destination: this.#where,
      fix: 'have the source send whole rows before the change (PostgreSQL: REPLICA IDENTITY FULL), or set ttl',
    });
  }
}
