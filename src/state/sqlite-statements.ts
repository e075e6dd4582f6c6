// The statements of the SQLite state store, prepared once. Values are bound; there is no other SQL at run time.

import type { Database } from 'better-sqlite3';

export interface PipelineRow {
  readonly owner: string | null;
  readonly until_ms: number;
  readonly head: string;
  readonly crc: number;
}
export interface LaneRow {
  readonly name: string;
  readonly state: string;
  readonly crc: number;
}
export interface TransformerRow {
  readonly point: string;
  readonly state: Buffer;
  readonly crc: number;
}
export interface ErrorRow {
  readonly component: string;
  readonly code: string;
  readonly message: string;
  readonly count: number;
  readonly first_ms: number;
  readonly last_ms: number;
}

export interface CheckpointRow {
  readonly id: number;
  readonly at_ms: number;
  readonly lanes: string;
  readonly crc: number;
}
export interface DeliveredRow {
  readonly bucket: number;
  readonly last_ms: number;
  readonly ids: Buffer;
  readonly crc: number;
}

/** Tables with rows of pipelines. */
const TABLES = ['lane', 'transformer', 'run', 'error', 'plugin_value', 'checkpoint', 'delivered'] as const;

export type Statements = ReturnType<typeof prepareStatements>;

/** A prepared statement, as far as it is used here. */
export interface Prepared<P extends unknown[], R> {
  get(...params: P): R | undefined;
  all(...params: P): R[];
  run(...params: P): { readonly changes: number };
}

export function prepareStatements(db: Database) {
  const get = <P extends unknown[], R>(sql: string): Prepared<P, R> => db.prepare(sql) as unknown as Prepared<P, R>;
  return {
    pipeline: get<[string], PipelineRow>('select owner, until_ms, head, crc from pipeline where name = ?'),
    pipelines: get<[], { name: string }>('select name from pipeline order by name'),
    addPipeline: get<[string, string, number, string, number], never>(
      'insert into pipeline (name, owner, until_ms, head, crc) values (?, ?, ?, ?, ?)',
    ),
    setLease: get<[string, number, string], never>('update pipeline set owner = ?, until_ms = ? where name = ?'),
    // Never shorter: a save that was computed before the last renewal must not take time away.
    extendLease: get<[number, string], never>('update pipeline set until_ms = max(until_ms, ?) where name = ?'),
    release: get<[string, string], never>('update pipeline set owner = null, until_ms = 0 where name = ? and owner = ?'),
    setHead: get<[string, number, string], never>('update pipeline set head = ?, crc = ? where name = ?'),
    lanes: get<[string], LaneRow>('select name, state, crc from lane where pipeline = ? order by name'),
    putLane: get<[string, string, string, number], never>('insert or replace into lane (pipeline, name, state, crc) values (?, ?, ?, ?)'),
    deleteLane: get<[string, string], never>('delete from lane where pipeline = ? and name = ?'),
    transformer: get<[string], TransformerRow>('select point, state, crc from transformer where pipeline = ?'),
    putTransformer: get<[string, string, Uint8Array, number], never>(
      'insert or replace into transformer (pipeline, point, state, crc) values (?, ?, ?, ?)',
    ),
    checkpoints: get<[string, number], CheckpointRow>(
      'select id, at_ms, lanes, crc from checkpoint where pipeline = ? order by id desc limit ?',
    ),
    addCheckpoint: get<[string, number, number, string, number], never>(
      'insert into checkpoint (pipeline, id, at_ms, lanes, crc) values (?, ?, ?, ?, ?)',
    ),
    pruneCheckpoints: get<[string, number], never>('delete from checkpoint where pipeline = ? and id <= ?'),
    delivered: get<[string], DeliveredRow>('select bucket, last_ms, ids, crc from delivered where pipeline = ? order by bucket'),
    putDelivered: get<[string, number, number, Uint8Array, number], never>(
      'insert or replace into delivered (pipeline, bucket, last_ms, ids, crc) values (?, ?, ?, ?, ?)',
    ),
    dropDelivered: get<[string, number], never>('delete from delivered where pipeline = ? and bucket = ?'),
    forget: [
      ...TABLES.map((table) => get<[string], never>(`delete from ${table} where pipeline = ?`)),
      get<[string], never>('delete from pipeline where name = ?'),
    ],
    lastRun: get<[string], { id: number | null }>('select max(id) as id from run where pipeline = ?'),
    putRun: get<[string, number, string], never>('insert or replace into run (pipeline, id, summary) values (?, ?, ?)'),
    pruneRuns: get<[string, number], never>('delete from run where pipeline = ? and id <= ?'),
    runs: get<[string, number], { summary: string }>('select summary from run where pipeline = ? order by id desc limit ?'),
    // The same code again counts on; another code begins anew.
    countError: get<[string, string, string, string, number, number], never>(
      `insert into error (pipeline, component, code, message, count, first_ms, last_ms) values (?, ?, ?, ?, 1, ?, ?)
       on conflict (pipeline, component) do update set
         count = case when code = excluded.code then count + 1 else 1 end,
         first_ms = case when code = excluded.code then first_ms else excluded.first_ms end,
         code = excluded.code, message = excluded.message, last_ms = excluded.last_ms`,
    ),
    errors: get<[string], ErrorRow>(
      'select component, code, message, count, first_ms, last_ms from error where pipeline = ? order by last_ms desc, component',
    ),
    pluginValue: get<[string, string, string], { value: Buffer; crc: number }>(
      'select value, crc from plugin_value where pipeline = ? and plugin = ? and key = ?',
    ),
    putPluginValue: get<[string, string, string, Uint8Array, number], never>(
      'insert or replace into plugin_value (pipeline, plugin, key, value, crc) values (?, ?, ?, ?, ?)',
    ),
  };
}
