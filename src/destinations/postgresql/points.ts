// The table of points in PostgreSQL (src/relational/points.ts).

import { CLAIM, committedOf, fenced, POINTS_TABLE, type Points } from '../../relational/points.ts';
import { type CdcError, type Committed, formatPoint, type LaneId, type ResumePoint } from '../../sdk/index.ts';
import { sqlState } from '../../systems/postgresql/driver-errors.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { Session } from './connection.ts';
import { qualified } from './sql.ts';
import { inTransaction } from './transaction.ts';

/** Any number will do: it keeps two of us from creating things at the same time, which IF NOT EXISTS does not ("cdc-ru" in ASCII). */
const CREATION_LOCK = 0x6364632d7275;

/** Sent as one message, so the server runs it as one transaction: the lock is held until the table is there. */
export function creationScript(schema: string, needsSchema: boolean, createTable: string): string {
  const createSchema = needsSchema ? `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}; ` : '';
  return `SELECT pg_advisory_xact_lock(${CREATION_LOCK}); ${createSchema}${createTable}`;
}

export class PointTable implements Points<Session> {
  readonly #schema: string;
  readonly #name: string;

  constructor(schema: string) {
    this.#schema = schema;
    this.#name = qualified({ schema, name: POINTS_TABLE });
  }

  get description(): string {
    return `${this.#schema}.${POINTS_TABLE}`;
  }

  async read(session: Session, lane: LaneId): Promise<Committed> {
    const { rows } = await session
      .query(`SELECT worker, epoch, point FROM ${this.#name} WHERE pipeline = $1 AND lane = $2 ORDER BY worker`, [lane.pipeline, lane.lane])
      .catch((error: unknown) => {
        if (['42P01', '3F000'].includes(sqlState(error) ?? '')) return { rows: [] };
        throw error;
      });
    return committedOf(rows, this.description);
  }

  /** Makes the table if it is not there. Looks first: somebody else may have made it for a role that must not. */
  async create(session: Session): Promise<void> {
    const { rows } = await session.query('SELECT to_regclass($1) AS found, to_regnamespace($2) AS schema', [
      this.#name,
      quoteName(this.#schema),
    ]);
    if (rows[0]?.['found'] != null) return;
    const needsSchema = rows[0]?.['schema'] == null;
    await session.script(
      creationScript(
        this.#schema,
        needsSchema,
        `CREATE TABLE IF NOT EXISTS ${this.#name} (
      pipeline text NOT NULL, lane text NOT NULL, worker integer NOT NULL, epoch bigint NOT NULL, point text,
      updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (pipeline, lane, worker))`,
      ),
    );
  }

  async claim(session: Session, lane: LaneId, epoch: number): Promise<void> {
    const values = [lane.pipeline, lane.lane, epoch];
    await inTransaction(session, async () => {
      const { count } = await session.query(
        `INSERT INTO ${this.#name} AS p (pipeline, lane, worker, epoch) VALUES ($1, $2, ${CLAIM}, $3)
        ON CONFLICT (pipeline, lane, worker) DO UPDATE SET epoch = excluded.epoch, updated_at = now() WHERE p.epoch <= excluded.epoch`,
        values,
      );
      if (count === 0) throw await this.#fenced(session, lane, CLAIM, epoch);
      await session.query(`UPDATE ${this.#name} SET epoch = $3 WHERE pipeline = $1 AND lane = $2`, values);
    });
  }

  async replace(session: Session, lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    await inTransaction(session, async () => {
      const { count } = await session.query(
        `UPDATE ${this.#name} SET updated_at = now() WHERE pipeline = $1 AND lane = $2 AND worker = ${CLAIM} AND epoch = $3`,
        [lane.pipeline, lane.lane, epoch],
      );
      if (count === 0) throw await this.#fenced(session, lane, CLAIM, epoch);
      await session.query(`DELETE FROM ${this.#name} WHERE pipeline = $1 AND lane = $2 AND worker <> ${CLAIM}`, [lane.pipeline, lane.lane]);
      for (const [worker, point] of points.entries()) {
        await session.query(`INSERT INTO ${this.#name} (pipeline, lane, worker, epoch, point) VALUES ($1, $2, $3, $4, $5)`, [
          lane.pipeline,
          lane.lane,
          worker,
          epoch,
          formatPoint(point),
        ]);
      }
    });
  }

  /**
   * Moves a worker's point, inside the transaction of its data and before any of it: a fenced writer then touches nothing,
   * and of two writers the second waits here and is fenced (READ COMMITTED looks at the row again).
   */
  async move(session: Session, lane: LaneId, worker: number, epoch: number, from: ResumePoint, to: ResumePoint): Promise<void> {
    // Invariant 2: conditional on the epoch and on the place that this writer continues from.
    const { count } = await session.query(
      `UPDATE ${this.#name} SET point = $6, updated_at = now()
      WHERE pipeline = $1 AND lane = $2 AND worker = $3 AND epoch = $4 AND point = $5`,
      [lane.pipeline, lane.lane, worker, epoch, formatPoint(from), formatPoint(to)],
    );
    if (count !== 1) throw await this.#fenced(session, lane, worker, epoch);
  }

  async #fenced(session: Session, lane: LaneId, worker: number, epoch: number): Promise<CdcError> {
    const { rows } = await session.query(`SELECT epoch FROM ${this.#name} WHERE pipeline = $1 AND lane = $2 AND worker = $3`, [
      lane.pipeline,
      lane.lane,
      worker,
    ]);
    return fenced(this.description, rows[0]?.['epoch'], epoch);
  }
}
