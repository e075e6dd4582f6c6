// Which types of PostgreSQL Debezium's connector has converters for. All others (box, tsquery, pg_lsn, composites, multiranges …) are
// missing in its events.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types

import type { Column } from '../../sdk/index.ts';

const RANGES = ['int4range', 'int8range', 'numrange', 'tsrange', 'tstzrange', 'daterange'];
const ADDRESSES = ['inet', 'cidr', 'macaddr', 'macaddr8'];
const TEXTS: ReadonlySet<string> = new Set([
  'text',
  'character varying',
  'character',
  '"char"',
  'name',
  'citext',
  'ltree',
  'isbn',
  'tsvector',
  'sparsevec',
  ...RANGES,
  ...ADDRESSES,
]);
const DOCUMENTS: ReadonlySet<string> = new Set(['json', 'jsonb', 'hstore']);
export const VECTORS: ReadonlySet<string> = new Set(['vector', 'halfvec']);
/** Types of the system that are arrays to Debezium. */
export const SYSTEM_VECTORS: ReadonlySet<string> = new Set(['int2vector', 'oidvector']);

/** Element types of arrays whose elements may be NULL in the schema. */
const ELEMENTS: ReadonlySet<string> = new Set([
  'smallint',
  'integer',
  'bigint',
  'oid',
  'numeric',
  'real',
  'double precision',
  'boolean',
  'bytea',
  'date',
  'time without time zone',
  'time with time zone',
  'timestamp without time zone',
  'timestamp with time zone',
  'uuid',
  'text',
  'character varying',
  'character',
  '"char"',
  'citext',
  'ltree',
  'geometry',
  'geography',
  ...DOCUMENTS,
  ...RANGES,
  ...ADDRESSES,
]);
/** Those that its general rule takes as they are. */
const PLAIN_ELEMENTS: ReadonlySet<string> = new Set(['tsvector', 'isbn', 'sparsevec', 'bit', ...VECTORS]);

/** `timestamp(3) without time zone` → `timestamp without time zone`; `ext.citext` → `citext`. */
export function bareName(nativeType: string): string {
  return nativeType.replace(/\([^)]*\)/, '').replace(/^(?:"(?:[^"]|"")*"|[^".]+)\.(?=.)/, '');
}

/** `citext[]` → `citext`; `null` when it is none. */
export function elementName(nativeType: string): string | null {
  return nativeType.endsWith('[]') ? bareName(nativeType.slice(0, -2)) : null;
}

export function isPostgresTypeKnown({ type, nativeType, element }: Column): boolean {
  // Columns of queries, and of sources that know no native names.
  if (nativeType === type) return true;
  switch (type) {
    case 'string':
      return TEXTS.has(bareName(nativeType));
    case 'json':
      return DOCUMENTS.has(bareName(nativeType));
    case 'array': {
      const name = elementName(nativeType);
      if (name === null) return VECTORS.has(bareName(nativeType)) || SYSTEM_VECTORS.has(nativeType);
      return element === 'enum' || ELEMENTS.has(name) || PLAIN_ELEMENTS.has(name);
    }
    default:
      return true;
  }
}

/** Debezium marks the elements of most arrays as optional. */
export function areElementsOptional({ nativeType, element }: Column): boolean {
  return element !== 'enum' && !SYSTEM_VECTORS.has(nativeType) && !PLAIN_ELEMENTS.has(elementName(nativeType) ?? '');
}
