// The target tables as the database knows them, and the making of new ones. Runs between data transactions; all of it may be
// repeated.

import { describeTarget, type TableName } from '../../relational/table.ts';
import { CdcError, type Column, formatTableId, type TableSchema } from '../../sdk/index.ts';
import { quoteName } from '../../util/sql-names.ts';
import type { Session } from './connection.ts';
import { createTableStatement } from './ddl.ts';
import { creationScript } from './points.ts';
import { qualified } from './sql.ts';
import type { TargetColumn, TargetTable } from './target-table.ts';
import { KINDS } from './types.ts';

/** A table as it was read. */
export interface CatalogTable {
  readonly columns: readonly TargetColumn[];
  /** Column sets by which ON CONFLICT finds rows: unique, complete, checked at once. Names sorted. */
  readonly uniqueKeys: readonly (readonly string[])[];
  readonly truncatable: boolean;
}

const COLUMNS = `SELECT json_agg(json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, -1), 'base', coalesce(b.typname, t.typname), 'class', t.typtype,
    'modifier', CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
    'element', (SELECT json_build_object('type', format_type(e.oid, -1), 'base', e.typname, 'class', e.typtype) FROM pg_type e WHERE e.oid = t.typelem AND t.typcategory = 'A'),
    'generated', a.attgenerated <> '', 'identity', a.attidentity) ORDER BY a.attnum)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

const UNIQUE_KEYS = `SELECT json_agg(k.names) FROM pg_index i, LATERAL (
    SELECT json_agg(a.attname ORDER BY a.attname) AS names FROM unnest(i.indkey) WITH ORDINALITY AS p(attnum, n)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum WHERE p.n <= i.indnkeyatts) k
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL`;

const TABLE = `SELECT c.relkind AS kind, (${COLUMNS}) AS columns, (${UNIQUE_KEYS}) AS keys,
    has_table_privilege(c.oid, 'TRUNCATE') AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = c.oid AND f.conrelid <> c.oid) AS truncatable
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`;

interface RawType {
  readonly type: string;
  readonly base: string;
  readonly class: string;
}
interface RawColumn extends RawType {
  readonly name: string;
  readonly modifier: number;
  readonly element: RawType | null;
  readonly generated: boolean;
  readonly identity: string;
}

/** `null` when there is no such table. Throws when the name belongs to something rows cannot be upserted into. */
export async function readTable(session: Session, name: TableName): Promise<CatalogTable | null> {
  const row = (await session.query(TABLE, [name.schema, name.name])).rows[0];
  if (row === undefined) return null;
  if (row['kind'] !== 'r' && row['kind'] !== 'p') {
    throw new CdcError('DESTINATION_MISCONFIGURED', `${describeTarget(name)} is not a table.`, {
      fix: 'Give the target another name by `table`.',
    });
  }
  return {
    columns: (JSON.parse(row['columns'] ?? '[]') as RawColumn[]).map(toColumn),
    uniqueKeys: JSON.parse(row['keys'] ?? '[]') as string[][],
    truncatable: row['truncatable'] === 't',
  };
}

function toColumn(raw: RawColumn): TargetColumn {
  return {
    ...toType(raw, raw.modifier),
    name: raw.name,
    generated: raw.generated,
    identity: raw.identity === 'a' ? 'always' : raw.identity === 'd' ? 'default' : 'none',
  };
}

/** https://www.postgresql.org/docs/current/catalog-pg-attribute.html: how `atttypmod` packs lengths is up to each type. */
function toType(raw: RawType & { readonly element?: RawType | null }, modifier: number): TargetColumn {
  const isArray = raw.element != null;
  const kind = isArray ? 'array' : (KINDS[raw.base] ?? 'other');
  return {
    name: '',
    type: raw.type,
    kind,
    bulk: raw.class === 'b' && kind !== 'array' && kind !== 'other',
    length: lengthOf(raw.base, modifier),
    precision: kind === 'numeric' && modifier >= 4 ? ((modifier - 4) >> 16) & 0xffff : null,
    fraction: fractionOf(kind, modifier),
    domain: raw.class === 'd',
    caseless: raw.base === 'citext',
    padded: raw.base === 'bpchar',
    element: isArray ? toType(raw.element as RawType, -1) : null,
    generated: false,
    identity: 'none',
  };
}

function lengthOf(base: string, modifier: number): number | null {
  if (base === 'varchar' || base === 'bpchar') return modifier >= 4 ? modifier - 4 : null;
  return (base === 'bit' || base === 'varbit') && modifier >= 0 ? modifier : null;
}

function fractionOf(kind: TargetColumn['kind'], modifier: number): number | null {
  if (modifier < 0) return null;
  // The scale is the low 11 bits, signed, behind a header of 4.
  if (kind === 'numeric') return (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
  if (kind === 'time' || kind === 'timetz' || kind === 'timestamp' || kind === 'timestamptz') return modifier;
  // The low 16 bits; all ones mean no precision.
  if (kind === 'interval') return (modifier & 0xffff) === 0xffff ? null : modifier & 0xffff;
  return null;
}

/** The table for a source table's rows: with the key by which they are found. Throws when that key is not unique there. */
export function targetFor(name: TableName, found: CatalogTable, source: TableSchema): TargetTable {
  const { columns, uniqueKeys, truncatable } = found;
  const wanted = [...source.key].sort();
  if (wanted.length > 0 && !uniqueKeys.some((key) => key.length === wanted.length && key.every((c) => wanted.includes(c)))) {
    const list = source.key.map(quoteName).join(', ');
    throw new CdcError(
      'DESTINATION_MISCONFIGURED',
      `${describeTarget(name)} has no unique key on ${list}, the key of ${formatTableId(source.id)}.`,
      {
        fix: `Run: ALTER TABLE ${qualified(name)} ADD UNIQUE (${list});`,
      },
    );
  }
  return { ...name, place: qualified(name), columns, key: source.key, truncatable, byName: new Map(columns.map((c) => [c.name, c])) };
}

/** Makes the table, with its schema if need be. */
export async function createTable(session: Session, name: TableName, source: TableSchema, columns: readonly Column[]): Promise<void> {
  const { rows } = await session.query('SELECT to_regnamespace($1) AS schema', [quoteName(name.schema)]);
  await session.script(creationScript(name.schema, rows[0]?.['schema'] == null, createTableStatement(name, columns, source.key)));
}
