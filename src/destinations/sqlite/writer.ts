// Writes a batch in one transaction, the lane's point with it. If an event cannot be stored for good, the transaction is
// rolled back and done again event by event to name all such events; nothing of that second pass is kept.

import { CdcError, type ChangeEvent, formatTableId, isBeingRead, type LaneBatch, type Row, type WriteFailure } from '../../sdk/index.ts';
import type { SqliteDatabase } from '../../util/sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { type Bound, bind, Unstorable } from './encode.ts';
import { eventError, isEventError, refusedNull } from './errors.ts';
import type { Shape, Target, Targets } from './target.ts';
import type { Affinity } from './types.ts';

export class BatchWriter {
  readonly #db: SqliteDatabase;
  readonly #config: SqliteConfig;
  readonly #targets: Targets;
  #leftOut = 0;

  constructor(db: SqliteDatabase, config: SqliteConfig, targets: Targets) {
    this.#db = db;
    this.#config = config;
    this.#targets = targets;
  }

  /** Inside a transaction. Throws what the first event that fails threw. Returns how many values were left out. */
  apply(batch: LaneBatch): number {
    this.#leftOut = 0;
    this.#targets.refresh();
    for (const [index, event] of batch.events.entries()) if (!batch.skip.has(index)) this.#apply(event, batch);
    return this.#leftOut;
  }

  /** Inside a transaction that will be rolled back: which events fail, each judged with those before it in place. */
  findFailures(batch: LaneBatch): WriteFailure[] {
    const failures: WriteFailure[] = [];
    for (const [index, event] of batch.events.entries()) {
      if (batch.skip.has(index)) continue;
      this.#db.exec('SAVEPOINT event');
      try {
        this.#apply(event, batch);
        this.#db.exec('RELEASE event');
      } catch (error) {
        if (!isEventError(error)) throw error;
        this.#db.exec('ROLLBACK TO event; RELEASE event');
        this.#targets.forget();
        failures.push({ index, error: eventError(error, `table ${formatTableId(event.table.id)}`) });
      }
    }
    return failures;
  }

  #apply(event: ChangeEvent, batch: LaneBatch): void {
    if (event.op === 'm') return;
    const target = this.#targets.of(event.table, event.source);
    try {
      this.#run(event, target, batch);
    } catch (error) {
      const column = refusedNull(error);
      if (column === null) throw error;
      throw (
        this.#targets.frozenBy(event.table, target.name, `column "${column}" is NOT NULL there, and a row has no value for it`) ?? error
      );
    }
  }

  #run(event: ChangeEvent, target: Target, batch: LaneBatch): void {
    switch (event.op) {
      case 's':
        if (event.schemaChange?.kind !== 'drop') this.#targets.follow(event, target);
        return;
      case 't':
        if (this.#config.deletes === 'apply') target.empty.run();
        return;
      case 'd':
        this.#delete(event, target);
        return;
      case 'u':
        this.#update(event, target, batch);
        return;
      default:
        this.#insert(event, target);
    }
  }

  #insert(event: ChangeEvent, found: Target): void {
    const shape = this.#shape(event, found),
      { target } = shape;
    this.#assertKey(event, target, shape);
    if (this.#config.conflict_resolution === 'replace') target.remove?.run(keyValues(event.key, target));
    shape.insert.run(valuesOf(event, shape));
  }

  #update(event: ChangeEvent, found: Target, batch: LaneBatch): void {
    const shape = this.#shape(event, found),
      { target } = shape,
      { oldKey } = event;
    if (target.key.length === 0) throw noKey(event);
    this.#assertKey(event, target, shape);
    if (event.incomplete) {
      this.#patch(event, target, shape, batch);
      return;
    }
    if (oldKey !== null) target.remove?.run(keyValues(oldKey, target));
    if (this.#config.conflict_resolution === 'replace') target.remove?.run(keyValues(event.key, target));
    shape.put.run(valuesOf(event, shape));
  }

  /** Only the columns that are there, never an insert: the others would be lost. */
  #patch(event: ChangeEvent, target: Target, shape: Shape, batch: LaneBatch): void {
    const { changes } = shape.patch.run([...valuesOf(event, shape), ...keyValues(event.oldKey ?? event.key, target)]);
    if (changes > 0 || isBeingRead(event, batch)) return;
    throw new CdcError('DESTINATION_ROW_MISSING', `table "${target.name}" has no row to update: the event has only some of the columns`, {
      where: `table "${target.name}"`,
      fix: 'Read the table again by a snapshot.',
    });
  }

  #delete(event: ChangeEvent, target: Target): void {
    if (this.#config.deletes === 'ignore') return;
    if (target.remove === null || event.key === null) throw noKey(event);
    target.remove.run(keyValues(event.key, target));
  }

  #shape(event: ChangeEvent, found: Target): Shape {
    const shape = this.#targets.shape(event, found);
    this.#leftOut += shape.leftOut;
    return shape;
  }

  /** NULL equals nothing, so rows with it in their key would pile up instead of replacing each other. */
  #assertKey(event: ChangeEvent, target: Target, shape: Shape): void {
    for (const column of target.key) {
      const value = event.get('after', column);
      if (value !== null && value !== undefined) continue;
      if (value === undefined && event.incomplete && shape.columns.length > 0) continue;
      throw new CdcError(
        'DESTINATION_EVENT_REJECTED',
        `key column "${column}" of table "${target.name}" is ${value === null ? 'NULL' : 'missing'}`,
        {
          where: `table "${target.name}"`,
          fix: 'Give the table a key without NULLs at the source.',
        },
      );
    }
  }
}

function valuesOf(event: ChangeEvent, shape: Shape): Bound[] {
  const { columns, types, affinities } = shape,
    values = new Array<Bound>(columns.length);
  let i = 0;
  try {
    for (; i < columns.length; i++)
      values[i] = bind(event.get('after', columns[i] as string) ?? null, types[i] as Shape['types'][number], affinities[i] as Affinity);
  } catch (error) {
    throw unstorable(error, event, columns[i] as string);
  }
  return values;
}

function keyValues(key: Row | null, target: Target): Bound[] {
  return target.key.map((column, i) => bind(key?.[column] ?? null, target.keyTypes[i] ?? null, target.keyAffinities[i] ?? 'BLOB'));
}

function unstorable(error: unknown, event: ChangeEvent, column: string): unknown {
  if (!(error instanceof Unstorable)) return error;
  const table = formatTableId(event.table.id);
  return new CdcError('DESTINATION_EVENT_REJECTED', `Column "${column}" of table ${table} ${error.message}.`, {
    where: `table ${table}`,
    fix: 'Change the value by a transformer or the column of the target table, then replay the dead letter.',
  });
}

function noKey(event: ChangeEvent): CdcError {
  const table = formatTableId(event.table.id);
  return new CdcError(
    'DESTINATION_EVENT_REJECTED',
    `table ${table} has no key, so the row to ${event.op === 'd' ? 'delete' : 'update'} cannot be found`,
    {
      where: `table ${table}`,
      fix: 'Give the table a primary key, or leave it out.',
    },
  );
}
