// The table of points in MySQL (src/relational/points.ts): InnoDB, so that it shares the transaction of the rows.

import { CLAIM, committedOf, fenced, POINTS_TABLE, type Points } from '../../relational/points.ts';
import { type CdcError, type Committed, formatPoint, type LaneId, type ResumePoint } from '../../sdk/index.ts';
import { errorNumber } from '../../systems/mysql/driver-errors.ts';
import { qualified, quoteName, textLiteral } from '../../systems/mysql/names.ts';
import { readTable } from './catalog.ts';
import type { Session } from './connection.ts';
import { inTransaction } from './transaction.ts';

/** No such table, no such database. */
const ABSENT = [1146, 1049];

export class PointTable implements Points<Session> {
  readonly #place: { readonly schema: string; readonly name: string };
  readonly #name: string;

  constructor(schema: string) {
    this.#place = { schema, name: POINTS_TABLE };
    this.#name = qualified(this.#place);
  }

  get description(): string {
    return `${this.#place.schema}.${POINTS_TABLE}`;
  }

  async read(session: Session, lane: LaneId): Promise<Committed> {
    const { rows } = await session
      .query(`SELECT worker, epoch, point FROM ${this.#name} WHERE ${ofLane(lane)} ORDER BY worker`)
      .catch((error: unknown) => {
        if (ABSENT.includes(errorNumber(error) ?? 0)) return { rows: [] };
        throw error;
      });
    return committedOf(rows, this.description);
  }

  /** Looks first: somebody else may have made it for a user that must not. Refuses one that is not InnoDB. */
  async create(session: Session): Promise<void> {
    if ((await readTable(session, this.#place)) !== null) return;
    const { schema } = this.#place;
    const { count } = await session.query(`SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${textLiteral(schema)}`);
    if (count === 0) await session.query(`CREATE DATABASE IF NOT EXISTS ${quoteName(schema)}`);
    await session.query(
      `CREATE TABLE IF NOT EXISTS ${this.#name} (
        pipeline varchar(255) NOT NULL, lane varchar(255) NOT NULL, worker int NOT NULL, epoch bigint NOT NULL, point longtext,
        updated_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), PRIMARY KEY (pipeline, lane, worker)
      ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
    );
  }

  async claim(session: Session, lane: LaneId, epoch: number): Promise<void> {
    await inTransaction(session, async () => {
      // Takes the lock of the row, there or not: two claims, or a claim and a replacement, come one after the other.
      await session.query(
        `INSERT INTO ${this.#name} (pipeline, lane, worker, epoch) VALUES (${valuesOf(lane)}, ${CLAIM}, ${epoch})
        ON DUPLICATE KEY UPDATE epoch = GREATEST(epoch, VALUES(epoch))`,
      );
      const { rows } = await session.query(`SELECT epoch FROM ${this.#name} WHERE ${ofLane(lane)} AND worker = ${CLAIM} FOR UPDATE`);
      if (rows[0]?.['epoch'] !== String(epoch)) throw await this.#fenced(session, lane, CLAIM, epoch);
      await session.query(`UPDATE ${this.#name} SET epoch = ${epoch} WHERE ${ofLane(lane)}`);
    });
  }

  async replace(session: Session, lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    await inTransaction(session, async () => {
      const { count } = await session.query(
        `SELECT 1 FROM ${this.#name} WHERE ${ofLane(lane)} AND worker = ${CLAIM} AND epoch = ${epoch} FOR UPDATE`,
      );
      if (count === 0) throw await this.#fenced(session, lane, CLAIM, epoch);
      await session.query(`DELETE FROM ${this.#name} WHERE ${ofLane(lane)} AND worker <> ${CLAIM}`);
      for (const [worker, point] of points.entries()) {
        await session.query(
          `INSERT INTO ${this.#name} (pipeline, lane, worker, epoch, point) VALUES (${valuesOf(lane)}, ${worker}, ${epoch}, ${textLiteral(formatPoint(point))})`,
        );
      }
    });
  }

  /**
   * Moves a worker's point, inside the transaction of its data and before any of it: a fenced writer then touches nothing,
   * and of two writers the second waits here and is fenced (an UPDATE reads what was committed last).
   */
  async move(session: Session, lane: LaneId, worker: number, epoch: number, from: ResumePoint, to: ResumePoint): Promise<void> {
    // Invariant 2: conditional on the epoch and on the place that this writer continues from.
    const { count } = await session.query(
      `UPDATE ${this.#name} SET point = ${textLiteral(formatPoint(to))}
      WHERE ${ofLane(lane)} AND worker = ${worker} AND epoch = ${epoch} AND point = ${textLiteral(formatPoint(from))}`,
    );
    if (count !== 1) throw await this.#fenced(session, lane, worker, epoch);
  }

  async #fenced(session: Session, lane: LaneId, worker: number, epoch: number): Promise<CdcError> {
    const { rows } = await session.query(`SELECT epoch FROM ${this.#name} WHERE ${ofLane(lane)} AND worker = ${worker}`);
    return fenced(this.description, rows[0]?.['epoch'], epoch);
  }
}

const valuesOf = ({ pipeline, lane }: LaneId): string => `${textLiteral(pipeline)}, ${textLiteral(lane)}`;
const ofLane = ({ pipeline, lane }: LaneId): string => `pipeline = ${textLiteral(pipeline)} AND lane = ${textLiteral(lane)}`;
