// The destination as the engine sees it: sessions lent out, errors classified, the claim remembered.

import {
  CdcError,
  type Committed,
  type DestinationContext,
  type Finding,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type SchemaPreview,
  type TableSchema,
  type WriteResult,
} from '../../sdk/index.ts';
import { describeEndpoint, endpointOf } from '../../systems/postgresql/endpoint.ts';
import { type CheckOptions, findings } from './check.ts';
import type { PostgresqlConfig } from './config.ts';
import { Connections, type Session } from './connection.ts';
import { classify, located } from './errors.ts';
import { PointTable } from './points.ts';
import { isConstant } from './target-name.ts';
import { Targets } from './targets.ts';
import { type Claim, Writer } from './writer.ts';

export class PostgresqlDestination implements PointHoldingDestination {
  readonly #connections: Connections;
  readonly #points: PointTable;
  readonly #targets: Targets;
  readonly #writer: Writer;
  readonly #check: CheckOptions;
  readonly #where: string;
  #claim: Claim | null = null;

  constructor(config: PostgresqlConfig, ctx: DestinationContext, env: NodeJS.ProcessEnv) {
    const endpoint = endpointOf(config, env),
      { schema, table: template, create_tables: create } = config;
    const pointsSchema = config.points_schema ?? schema;
    this.#where = `destination "${ctx.name}"`;
    this.#check = { server: describeEndpoint(endpoint, env), endpoint, schema, pointsSchema, template, create };
    this.#connections = new Connections(config, endpoint, ctx.logger);
    this.#points = new PointTable(pointsSchema);
    this.#targets = new Targets({ schema, template, pointsSchema, create, evolution: ctx.schemaEvolution }, ctx.logger);
    this.#writer = new Writer({
      points: this.#points,
      targets: this.#targets,
      conflict: config.conflict_resolution === 'replace' ? 'replace' : 'upsert',
      keepExisting: config.conflict_resolution === 'ignore',
      keepDeleted: config.deletes === 'ignore',
      sharedTarget: isConstant(template),
      leavesOut: (table) => ctx.schemaEvolution.modeOf(table) === 'discard',
      maxRows: config.connection_pool.batch_insert_size,
    });
  }

  async *check(): AsyncIterable<Finding> {
    try {
      yield* await this.#use(null, async (session) => {
        const found: Finding[] = [];
        for await (const finding of findings(session, this.#check)) found.push(finding);
        return found;
      });
    } catch (error) {
      const { code, message, fix } = classify(error, this.#check.server);
      yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look into the log of the server.' };
    }
  }

  committed(lane: LaneId): Promise<Committed> {
    return this.#use(null, (session) => this.#points.read(session, lane));
  }

  async claim(lane: LaneId, epoch: number): Promise<void> {
    await this.#use(null, async (session) => {
      await this.#points.create(session);
      await this.#points.claim(session, lane, epoch);
    });
    this.#claim = { lane, epoch };
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    return this.#use(null, (session) => this.#points.replace(session, lane, epoch, points));
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const claim = this.#claim;
    if (claim === null) throw new CdcError('INTERNAL_UNEXPECTED', 'A batch came before the lane was claimed.');
    // The catalog as it was read earlier may be out of date; an error that this may explain is worth one more try.
    const wasRemembered = !this.#targets.isEmpty;
    try {
      return await this.#use(signal, (session) => this.#writer.write(session, claim, batch));
    } catch (error) {
      this.#targets.forget();
      throw this.#asRetriable(error as CdcError, signal, wasRemembered);
    }
  }

  async *previewSchema(source: string, tables: readonly TableSchema[]): AsyncIterable<SchemaPreview> {
    yield* await this.#use(null, async (session) => {
      const found: SchemaPreview[] = [];
      for await (const one of this.#targets.preview(session, source, tables)) found.push(one);
      return found;
    });
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.#connections.use(signal, work);
    } catch (error) {
      throw located(classify(error, this.#check.server), this.#where);
    }
  }

  #asRetriable(error: CdcError, signal: AbortSignal, wasRemembered: boolean): CdcError {
    if (error.retriable || error.code === 'DESTINATION_FENCED') return error;
    const { code, message, fix, cause } = error,
      where = this.#where;
    if (signal.aborted)
      return new CdcError('DESTINATION_FAILED', 'Stopped before the batch was stored.', { where, retriable: true, cause: error });
    if (code === 'DESTINATION_MISCONFIGURED' && wasRemembered)
      return new CdcError(code, message, { where, retriable: true, cause, ...(fix === null ? {} : { fix }) });
    return error;
  }
}
