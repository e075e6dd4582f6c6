// A lane of a destination that holds its point in Redis: reads, claims and moves it, and waits for replicas where it was told to.

import { CdcError, type Committed, formatPoint, type LaneBatch, type LaneId, type ResumePoint } from '../../sdk/index.ts';
import type { Client } from './client.ts';
import type { Connections } from './connections.ts';
import { classify } from './destination-errors.ts';
import { describeEndpoint } from './endpoint.ts';
import { nodeOf } from './nodes.ts';
import { assertDone, claimPoints, pointKey, readPoints, replacePoints } from './points.ts';
import type { Script, ScriptArgument } from './script.ts';

export interface Replicas {
  /** That must have a batch before it counts as stored. */
  readonly count: number;
  readonly timeoutMs: number;
}

export interface LanePointsOptions {
  readonly connections: Connections;
  /** The hash tag of the data; `null`: not a cluster. */
  readonly tag: string | null;
  readonly replicas: Replicas;
  /** The component, for errors. */
  readonly where: string;
}

export class LanePoints {
  readonly #o: LanePointsOptions;
  readonly server: string;
  readonly isCluster: boolean;
  #claim: { readonly key: string; readonly epoch: number } | null = null;
  /** Stored by the master, and not by enough replicas yet: the texts of the points, by worker. */
  readonly #unconfirmed = new Map<number, string>();

  constructor(options: LanePointsOptions) {
    this.#o = options;
    this.server = describeEndpoint(options.connections.endpoint);
    this.isCluster = options.connections.endpoint.cluster !== null;
  }

  /** After a claim what is read is also what replicas have: else a lost answer would turn into a confirmation too early. */
  committed(lane: LaneId): Promise<Committed> {
    const key = pointKey(lane, this.#o.tag);
    return this.use(null, false, async (client) => {
      if (this.#claim !== null && this.#o.replicas.count > 0) await this.#confirmAgain(client, this.#claim);
      return readPoints(client, key);
    });
  }

  async claim(lane: LaneId, epoch: number): Promise<void> {
    const key = pointKey(lane, this.#o.tag);
    await this.use(null, false, async (client) => {
      await claimPoints(client, key, epoch);
      // Whatever was written before on this master is confirmed with it.
      await this.#confirm(client, key);
    });
    this.#claim = { key, epoch };
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    const key = pointKey(lane, this.#o.tag);
    return this.use(null, false, async (client) => {
      await replacePoints(client, key, epoch, points);
      await this.#confirm(client, key);
    });
  }

  /**
   * Runs a script that begins with `FENCE` and stores the batch with its point. What it returns, unless it is fenced: then it
   * throws. `args` follow worker, epoch, previous point and point; the point's key is the first of the keys.
   */
  async store(
    batch: LaneBatch,
    signal: AbortSignal,
    script: Script,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<readonly unknown[]> {
    const claim = this.#claim;
    if (claim === null) throw new CdcError('INTERNAL_UNEXPECTED', 'A batch came before the lane was claimed.');
    const through = formatPoint(batch.through);
    return this.use(signal, true, async (client) => {
      if (this.#unconfirmed.get(batch.worker) === through && formatPoint(batch.previous) !== through) {
        await this.#confirmAgain(client, claim);
      } else {
        const head = [batch.worker, claim.epoch, formatPoint(batch.previous), through];
        const result = assertDone(await script.run(client, [claim.key, ...keys], [...head, ...args]), claim.key, claim.epoch);
        if (result[0] !== 'ok') return result;
        if (this.#o.replicas.count === 0) return result;
        this.#unconfirmed.set(batch.worker, through);
        await this.#confirm(client, claim.key);
      }
      this.#unconfirmed.delete(batch.worker);
      return ['ok'];
    });
  }

  /** `isWrite`: where the connection breaks the outcome is unknown. */
  async use<T>(signal: AbortSignal | null, isWrite: boolean, work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await this.#o.connections.use(signal, work);
    } catch (error) {
      const classified = classify(error, this.server, this.#o.where, isWrite);
      // A replica now, or no master at all: the next try looks for the master anew.
      if (classified.code === 'DESTINATION_UNREACHABLE') this.#o.connections.forget();
      throw classified;
    }
  }

  /** WAIT is about the connection's own writes, and this may be another one: a write that changes nothing goes first. */
  async #confirmAgain(client: Client, { key, epoch }: { readonly key: string; readonly epoch: number }): Promise<void> {
    await claimPoints(client, key, epoch);
    await this.#confirm(client, key);
  }

  /** https://redis.io/docs/latest/commands/wait/ */
  async #confirm(client: Client, key: string): Promise<void> {
    const { count, timeoutMs } = this.#o.replicas;
    if (count === 0) return;
    const confirmed = Number(await nodeOf(client, key).call('WAIT', count, timeoutMs));
    if (confirmed >= count) return;
    throw new CdcError('DESTINATION_UNREACHABLE', `${confirmed} of ${count} replicas of Redis at ${this.server} have the batch.`, {
      fix: 'Bring the replicas back, or lower `wait_replicas`.',
      retriable: true,
    });
  }
}
