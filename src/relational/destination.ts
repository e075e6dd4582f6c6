// A destination of SQL tables as the engine sees it: sessions lent out, errors classified, the claim remembered.

import {
  CdcError,
  type Committed,
  type Finding,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type SchemaPreview,
  type TableSchema,
  type WriteResult,
} from '../sdk/index.ts';
import type { Points } from './points.ts';
import type { Claim } from './writer.ts';

/** What a database brings along; `S` is a session. */
export interface SqlSystem<S> {
  /** Lends a connection. When `signal` aborts, it is cut: the server rolls back what was not committed. */
  readonly connections: { use<T>(signal: AbortSignal | null, work: (session: S) => Promise<T>): Promise<T>; close(): Promise<void> };
  readonly points: Points<S>;
  readonly targets: {
    readonly isEmpty: boolean;
    forget(): void;
    preview(session: S, source: string, tables: readonly TableSchema[]): AsyncIterable<SchemaPreview>;
  };
  readonly writer: { write(session: S, claim: Claim, batch: LaneBatch): Promise<WriteResult> };
  /** Findings of a session that could be opened. */
  findings(session: S): AsyncIterable<Finding>;
  /** Any error of a call as a `CdcError`. */
  classify(error: unknown): CdcError;
  /** The component, for errors: `destination "replica"`. */
  readonly where: string;
}

export class SqlDestination<S> implements PointHoldingDestination {
  readonly #system: SqlSystem<S>;
  #claim: Claim | null = null;

  constructor(system: SqlSystem<S>) {
    this.#system = system;
  }

  async *check(): AsyncIterable<Finding> {
    const { connections, findings, classify } = this.#system;
    try {
      yield* await connections.use(null, (session) => allOf(findings(session)));
    } catch (error) {
      const { code, message, fix } = classify(error);
      yield { level: 'error', check: 'reachable', message, code, fix: fix ?? 'Look into the log of the server.' };
    }
  }

  committed(lane: LaneId): Promise<Committed> {
    return this.#use(null, (session) => this.#system.points.read(session, lane));
  }

  async claim(lane: LaneId, epoch: number): Promise<void> {
    await this.#use(null, async (session) => {
      await this.#system.points.create(session);
      await this.#system.points.claim(session, lane, epoch);
    });
    this.#claim = { lane, epoch };
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    return this.#use(null, (session) => this.#system.points.replace(session, lane, epoch, points));
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const claim = this.#claim,
      { targets, writer } = this.#system;
    if (claim === null) throw new CdcError('INTERNAL_UNEXPECTED', 'A batch came before the lane was claimed.');
    // The catalog as it was read earlier may be out of date; an error that this may explain is worth one more try.
    const wasRemembered = !targets.isEmpty;
    try {
      return await this.#use(signal, (session) => writer.write(session, claim, batch));
    } catch (error) {
      targets.forget();
      throw this.#asRetriable(error as CdcError, signal, wasRemembered);
    }
  }

  async *previewSchema(source: string, tables: readonly TableSchema[]): AsyncIterable<SchemaPreview> {
    yield* await this.#use(null, (session) => allOf(this.#system.targets.preview(session, source, tables)));
  }

  close(): Promise<void> {
    return this.#system.connections.close();
  }

  async #use<T>(signal: AbortSignal | null, work: (session: S) => Promise<T>): Promise<T> {
    try {
      return await this.#system.connections.use(signal, work);
    } catch (error) {
      throw located(this.#system.classify(error), this.#system.where);
    }
  }

  #asRetriable(error: CdcError, signal: AbortSignal, wasRemembered: boolean): CdcError {
    if (error.retriable || error.code === 'DESTINATION_FENCED') return error;
    const { code, message, fix, cause } = error,
      { where } = this.#system;
    if (signal.aborted)
      return new CdcError('DESTINATION_FAILED', 'Stopped before the batch was stored.', { where, retriable: true, cause: error });
    if (code === 'DESTINATION_MISCONFIGURED' && wasRemembered)
      return new CdcError(code, message, { where, retriable: true, cause, ...(fix === null ? {} : { fix }) });
    return error;
  }
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The same error with the component that it comes from. */
function located(error: CdcError, where: string): CdcError {
  if (error.where !== null) return error;
  const { code, message, fix, retriable, cause } = error;
  return new CdcError(code, message, { where, retriable, ...(fix === null ? {} : { fix }), ...(cause === undefined ? {} : { cause }) });
}
