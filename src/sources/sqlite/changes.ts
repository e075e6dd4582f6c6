// Reads the change table: recorded rows → change events, in the order of their numbers. What cannot be told as an event
// comes back as a reject, to be parked before a later place is confirmed (invariant 3).

import { ChangeEvent, type Position, type Row } from '../../sdk/index.ts';
import type { SqliteDatabase, SqliteStatement } from '../../util/sqlite.ts';
import type { CapturedTable } from './capture.ts';
import { changeWidth } from './change-tables.ts';
import { describeRow, hasNullKey, type Misfit, misfitError, nullKeyError, type RowPlan, rowWithout, SqliteRow, Vetting } from './decode.ts';
import { type ChangePlace, formatPlace, LOG_PARTITION } from './position.ts';
import { TextCheck } from './text-check.ts';
import { CHANGES, slots } from './triggers.ts';
import type { Stored } from './types.ts';

export interface Reject {
  readonly input: string;
  readonly at: string;
  readonly error: Error;
}

/** A shape that this source reads. Numbers of other pipelines' tables have none. */
export interface ReadTable {
  readonly captured: CapturedTable;
  readonly plan: RowPlan;
}

/** A record that is about a table, not about a row: see `capture.ts`. */
export interface ControlRecord {
  readonly op: 's' | 'e' | 'g' | 'j' | 'x';
  readonly table: ReadTable;
  readonly place: ChangePlace;
}

export interface ChangesRead {
  readonly events: ChangeEvent[];
  readonly rejects: Reject[];
  /** The record after the events, if it is about a table; `through` is before it. */
  readonly control: ControlRecord | null;
  /** Everything up to here is in `events`, rejected, or of no concern. */
  readonly through: ChangePlace;
  readonly bytes: number;
  /** Nothing is left in the change table behind `through` (or the control record). */
  readonly atEnd: boolean;
}

interface Recorded {
  readonly plan: RowPlan;
  readonly op: string;
  readonly row: readonly Stored[];
  readonly place: ChangePlace;
  readonly isClean: boolean;
}

/** id, t, op, ts */
const FIXED = 4;

export class ChangeReader {
  readonly #source: string;
  readonly #consumer: string;
  readonly #where: string;
  readonly #tables: ReadonlyMap<number, ReadTable>;
  readonly #statement: SqliteStatement;
  readonly #texts: TextCheck;
  readonly #vetting = new Vetting();

  constructor(db: SqliteDatabase, tables: ReadonlyMap<number, ReadTable>, source: string, consumer: string) {
    this.#consumer = consumer;
    this.#source = source;
    this.#where = `source "${source}"`;
    this.#tables = tables;
    this.#texts = new TextCheck(db);
    const width = Math.max(0, ...[...tables.values()].map((t) => 2 * t.plan.width));
    this.#statement = db
      .prepare(
        `SELECT id, t, op, ts${width === 0 ? '' : `, ${slots(0, Math.min(width, changeWidth(db)))}`} FROM ${CHANGES} WHERE id > ? ORDER BY id LIMIT ?`,
      )
      .raw();
  }

  /** At least one record, at most `maxEvents` of them, and no more than `maxBytes` behind the first event. */
  read(from: ChangePlace, maxEvents: number, maxBytes: number): ChangesRead {
    const found: Recorded[] = [];
    let through = from,
      bytes = 0,
      seen = 0,
      control: ControlRecord | null = null,
      cut = false;
    // First all rows, then the events: while the driver steps through rows it does nothing else.
    for (const row of this.#statement.iterate(from.id, maxEvents) as Iterable<Stored[]>) {
      const place = { id: Number(row[0]), ts: Number(row[3]) },
        op = row[2] as string,
        table = this.#tables.get(Number(row[1]));
      if (op === 's' || op === 'e' || op === 'g' || op === 'x' || op === 'j') {
        if (table !== undefined && (op !== 'j' || row[FIXED] === this.#consumer)) {
          control = { op, table, place };
          break;
        }
      } else if (table !== undefined) {
        const { plan } = table;
        this.#vetting.start();
        this.#vetting.vet(plan, row, FIXED);
        if (op === 'u') this.#vetting.vet(plan, row, FIXED + plan.width);
        if (found.length > 0 && bytes + this.#vetting.bytes > maxBytes) {
          cut = true;
          break;
        }
        bytes += this.#vetting.bytes;
        found.push({ plan, op, row, place, isClean: this.#vetting.misfits.length === 0 });
      }
      through = place;
      seen++;
    }
    const events: ChangeEvent[] = [],
      rejects: Reject[] = [];
    for (const recorded of found) {
      const event = this.#event(recorded, rejects);
      if (event !== null) events.push(event);
    }
    return { events, rejects, control, through, bytes, atEnd: !cut && control === null && seen < maxEvents };
  }

  #event(recorded: Recorded, rejects: Reject[]): ChangeEvent | null {
    const { plan, op, row, place, isClean } = recorded;
    const before = op === 'u' || op === 'd' ? this.#before(plan, row, place, isClean) : null;
    if (op === 'd') {
      if (before === null) rejects.push(this.#reject(plan, op, row, FIXED, null, formatPlace(place)));
      return before === null ? null : this.#made('d', recorded, before, null);
    }
    const at = op === 'u' ? FIXED + plan.width : FIXED,
      misfit = isClean ? null : (this.#misfits(plan, row, at, place)[0] ?? null);
    if (misfit === null && !hasNullKey(plan, row, at))
      return this.#made(op === 'c' ? 'c' : 'u', recorded, before, new SqliteRow(plan, row, at));
    rejects.push(this.#reject(plan, op, row, at, misfit, formatPlace(place)));
    // The row has left its old key, whatever the new one is.
    const keyIsLost = hasNullKey(plan, row, at) || plan.keyAt.includes(misfit?.column ?? -1);
    return keyIsLost && before !== null ? this.#made('d', recorded, before, null) : null;
  }

  #made(op: 'c' | 'u' | 'd', { plan, place }: Recorded, before: SqliteRow | Row | null, after: SqliteRow | null): ChangeEvent {
    const { schema: table } = plan;
    return new ChangeEvent({
      op,
      table,
      source: this.#source,
      partition: LOG_PARTITION,
      position: formatPlace(place),
      sourceTsMs: place.ts,
      before,
      after,
    });
  }

  /** Columns that cannot be told are left out of the image before. `null` when the key cannot: the row was never delivered. */
  #before(plan: RowPlan, row: readonly Stored[], place: ChangePlace, isClean: boolean): SqliteRow | Row | null {
    if (hasNullKey(plan, row, FIXED)) return null;
    const misfits = isClean ? [] : this.#misfits(plan, row, FIXED, place);
    if (misfits.length === 0) return new SqliteRow(plan, row, FIXED);
    return misfits.some((m) => plan.keyAt.includes(m.column)) ? null : rowWithout(plan, row, FIXED, misfits);
  }

  #misfits(plan: RowPlan, row: readonly Stored[], offset: number, place: ChangePlace): Misfit[] {
    this.#vetting.start();
    this.#vetting.vet(plan, row, offset);
    return this.#vetting.misfits.filter(({ column, doubtfulText }) => {
      const at = offset + (plan.at[column] as number);
      return (
        !doubtfulText ||
        !this.#texts.isExact(row[at] as string, `SELECT CAST(c${at - FIXED} AS BLOB) FROM ${CHANGES} WHERE id = ?`, [place.id])
      );
    });
  }

  #reject(plan: RowPlan, op: string, row: readonly Stored[], offset: number, misfit: Misfit | null, position: Position): Reject {
    const cause = misfit ?? this.#vetting.misfits[0] ?? null;
    const error =
      cause === null || hasNullKey(plan, row, offset)
        ? nullKeyError(plan, this.#where)
        : misfitError(plan, cause, row[offset + (plan.at[cause.column] as number)] as Stored, this.#where);
    return { input: describeRow(plan, op, row, offset), at: `${plan.schema.id.table} at ${position}`, error };
  }
}
