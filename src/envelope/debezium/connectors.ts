// What differs between Debezium's connectors outside the rows: fields of the `source` block, names, defaults.

import type { Column, Value } from '../../sdk/index.ts';
import type { SourceFields } from '../envelope.ts';
import { mysqlDefault } from './mysql-default.ts';
import { commentOf, mysqlType } from './mysql-types.ts';
import { postgresDefault } from './postgres-default.ts';
import { isPostgresTypeKnown } from './postgres-types.ts';
import type { DebeziumType, TypeModes } from './types.ts';

export interface SourceField {
  readonly name: string;
  readonly type: 'string' | 'int64' | 'int32';
  readonly optional: boolean;
}

export interface Connector {
  /** After `version` to `ts_ns`, which all have. Values come from the position, save for `schema` and `table`. */
  readonly fields: readonly SourceField[];
  /** `sequence` is made of the LSN, unless the position's fields have one: the last commit before the event, and its own. */
  readonly hasLsnSequence?: boolean;
  /** A TRUNCATE is a DDL, whose transaction has a BEGIN and no END (`open`), or which has none. */
  readonly truncates?: 'open' | 'alone';
  /** Which part of a table's id stands before its name in topics. */
  readonly namespace: 'schema' | 'database';
  readonly timeMode: 'adaptive' | 'adaptive_time_microseconds';
  /** Fractional digits of times whose column does not say. */
  readonly defaultFraction: number;
  /** Snapshots have dates as java.sql.Date makes them. */
  readonly readsDatesByJdbc?: boolean;
  /** Has Debezium a converter? Columns without are missing in its events. */
  supports(column: Column): boolean;
  /** What it makes of a column in compatible mode, where that is not what all do. */
  typeOf?(column: Column, modes: TypeModes, general: DebeziumType): DebeziumType;
  /** What its schema shows for a default in SQL; `undefined`: nothing. */
  defaultOf(column: Column, sql: string): Value | undefined;
  /** What its schema says of a column in words; absent: nothing. */
  docOf?(column: Column): string | undefined;
  /** The id in the `transaction` block; `end`: for the END record, whose place is after the last event. */
  transactionId(id: string, fields: SourceFields, end: boolean): string;
}

const text = (name: string, optional: boolean): SourceField => ({ name, type: 'string', optional });
const long = (name: string, optional: boolean): SourceField => ({ name, type: 'int64', optional });
const plainId = (id: string): string => id;

const POSTGRESQL: Connector = {
  fields: [
    text('schema', false),
    text('table', false),
    long('txId', true),
    long('lsn', true),
    long('xmin', true),
    text('origin', true),
    long('origin_lsn', true),
  ],
  hasLsnSequence: true,
  namespace: 'schema',
  timeMode: 'adaptive',
  defaultFraction: 6,
  readsDatesByJdbc: true,
  supports: isPostgresTypeKnown,
  defaultOf: postgresDefault,
  // PostgresTransactionMonitor.adjustTxId: `3420:786014104`, the LSN changes from event to event. That of END is the commit's.
  transactionId: (id, fields, end) => {
    const lsn = (end ? (fields.end_lsn ?? fields.commit_lsn) : null) ?? fields.lsn;
    return lsn === null || lsn === undefined ? id : `${fields.txId ?? id}:${lsn}`;
  },
};

const MYSQL: Connector = {
  fields: [
    text('table', true),
    long('server_id', false),
    text('gtid', true),
    text('file', false),
    long('pos', false),
    { name: 'row', type: 'int32', optional: false },
    long('thread', true),
    text('query', true),
  ],
  truncates: 'alone',
  namespace: 'database',
  timeMode: 'adaptive_time_microseconds',
  defaultFraction: 0,
  supports: () => true,
  typeOf: mysqlType,
  defaultOf: mysqlDefault,
  transactionId: plainId,
};

const MARIADB: Connector = { ...MYSQL, truncates: 'open', docOf: commentOf };

/** Systems that Debezium has no connector for get the fields that all its connectors share. */
const OTHER: Connector = {
  fields: [text('schema', true), text('table', true)],
  namespace: 'schema',
  timeMode: 'adaptive',
  defaultFraction: 6,
  supports: () => true,
  defaultOf: (column) => column.default,
  transactionId: plainId,
};

const CONNECTORS: Readonly<Record<string, Connector>> = { postgresql: POSTGRESQL, mysql: MYSQL, mariadb: MARIADB };

export function connectorOf(name: string): Connector {
  return Object.hasOwn(CONNECTORS, name) ? (CONNECTORS[name] as Connector) : OTHER;
}
