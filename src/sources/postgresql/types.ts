// PostgreSQL's types ↔ ours: for each column its description and how its text becomes a value, chosen once per relation.
//
// | PostgreSQL | column type | value |
// |---|---|---|
// | boolean | boolean | `true` |
// | smallint, integer; bigint, oid | int16, int32; int64 | number; bigint |
// | real, double precision | float32, float64 | number; `NaN` and infinities too |
// | numeric, money | decimal | the digits: `"12.30"`, `"NaN"` |
// | text, varchar, char, name, citext, ltree | string | the text, padding of `char` included |
// | bytea | bytes | bytes |
// | date, time, timetz, timestamp, timestamptz, interval | the same | ISO 8601, `"infinity"` |
// | uuid, xml, enums, bit, varbit | uuid, xml, enum, bits | the text |
// | json, jsonb; hstore; composites | json | the document's own text; an object |
// | arrays | array of the element's type | arrays, nested for more dimensions |
// | vector, halfvec (pgvector) | array of float64, float32 | numbers |
// | geometry, geography (PostGIS) | geometry | extended well-known binary, as bytes |
// | point | geometry | the text |
// | ranges, multiranges, inet, cidr, macaddr, line, box, tsvector and all others | string | the text |
//
// A domain is what it is made of.

import { type Column, type ColumnType, JsonText, type TextColumn, type TextForm, type Value } from '../../sdk/index.ts';
import { parseArray, parseComposite, parseHstore } from './nested-values.ts';
import { modifierOf, type PgType, type PgTypes, spell } from './pg-type.ts';
import * as values from './values.ts';

/** A type applied to a column. */
export interface AppliedType {
  readonly type: ColumnType;
  /** As SQL spells it. */
  readonly nativeType: string;
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly element?: ColumnType;
  readonly values?: readonly string[];
  readonly domain?: string;
  readonly form: TextForm;
  readonly decode: TextColumn['decode'];
  readonly decodeBytes: TextColumn['decodeBytes'];
}

interface Rule {
  readonly type: ColumnType;
  readonly form: TextForm;
  readonly decode: TextColumn['decode'];
  readonly decodeBytes?: TextColumn['decodeBytes'];
  readonly element?: ColumnType;
  readonly scale?: number;
}

const { textOfText } = values;
const text = (type: ColumnType, form: TextForm = 'text'): Rule => ({ type, form, decode: textOfText });
const json: Rule = { type: 'json', form: 'json', decode: (t) => new JsonText(t) as unknown as Value };
const integer = (type: 'int16' | 'int32'): Rule => ({
  type,
  form: 'digits',
  decode: values.integerOfText,
  decodeBytes: values.integerOfBytes,
});
const bigint: Rule = { type: 'int64', form: 'digits', decode: values.bigintOfText, decodeBytes: values.bigintOfBytes };
const made = (type: ColumnType, decode: Rule['decode'], more: Partial<Rule> = {}): Rule => ({ type, form: 'other', decode, ...more });

/** By `typname`: extensions may live in any schema. What is not here is text. */
const RULES: Readonly<Record<string, Rule>> = {
  bool: { type: 'boolean', form: 'boolean', decode: values.booleanOfText, decodeBytes: values.booleanOfBytes },
  int2: integer('int16'),
  int4: integer('int32'),
  int8: bigint,
  oid: bigint,
  float4: { type: 'float32', form: 'float', decode: values.floatOfText },
  float8: { type: 'float64', form: 'float', decode: values.floatOfText },
  numeric: text('decimal', 'ascii'),
  money: made('decimal', values.moneyOfText, { scale: 2 }),
  bytea: made('bytes', values.bytesOfText),
  date: made('date', values.dateOfText),
  time: text('time', 'ascii'),
  timetz: text('timetz', 'ascii'),
  timestamp: { type: 'timestamp', form: 'timestamp', decode: values.timestampOfText },
  timestamptz: { type: 'timestamptz', form: 'timestamptz', decode: values.timestamptzOfText },
  interval: made('interval', values.intervalOfText),
  uuid: text('uuid', 'ascii'),
  json,
  jsonb: { ...json, form: 'jsonLine' },
  xml: text('xml'),
  bit: text('bits', 'ascii'),
  varbit: text('bits', 'ascii'),
  point: text('geometry'),
  hstore: made('json', (t) => parseHstore(t) ?? t),
  geometry: made('geometry', values.wkbOfText),
  geography: made('geometry', values.wkbOfText),
  vector: made('array', values.embeddingOfText, { element: 'float64' }),
  halfvec: made('array', values.embeddingOfText, { element: 'float32' }),
  int2vector: made('array', values.vectorOfText(values.integerOfText), { element: 'int16' }),
  oidvector: made('array', values.vectorOfText(values.bigintOfText), { element: 'int64' }),
};

/** Domains over domains, arrays of arrays: no schema is so deep; one that was read while it changed may loop. */
const MAX_NESTING = 100;

/** The type of a column. A type that `types` lacks is text. */
export function applyType(typeOid: number, typmod: number, types: PgTypes, depth = 0): AppliedType {
  const type = depth > MAX_NESTING ? undefined : types.get(typeOid);
  if (type === undefined) return applied(text('string'), 'unknown');
  if (type.kind === 'd') return { ...applyType(type.base, type.typmod, types, depth + 1), domain: type.formatted };
  if (type.kind === 'e') return { ...applied(text('enum'), type.formatted), values: type.labels };
  if (type.kind === 'c') return applied(made('json', compositeReader(type, types)), type.formatted);
  const rule = Object.hasOwn(RULES, type.name) && type.kind === 'b' ? RULES[type.name] : undefined;
  if (rule !== undefined) return { ...applied(rule, spell(type, typmod)), ...modifierOf(type.name, typmod) };
  if (type.category === 'A' && type.element !== 0) return arrayType(type, typmod, types, depth);
  return { ...applied(text('string'), spell(type, typmod)), ...modifierOf(type.name, typmod) };
}

function applied(rule: Rule, nativeType: string): AppliedType {
  return { decodeBytes: null, ...rule, nativeType };
}

function arrayType(type: PgType, typmod: number, types: PgTypes, depth: number): AppliedType {
  const { length, precision, scale, values: labels, ...element } = applyType(type.element, typmod, types, depth + 1);
  const { delimiter } = types.get(type.element) ?? type;
  const { decode } = element;
  return {
    type: 'array',
    nativeType: element.nativeType === 'unknown' ? type.formatted : `${element.domain ?? element.nativeType}[]`,
    element: element.type,
    ...(length === undefined ? {} : { length }),
    ...(precision === undefined ? {} : { precision }),
    ...(scale === undefined ? {} : { scale }),
    ...(labels === undefined ? {} : { values: labels }),
    form: 'other',
    decode: (t) => parseArray(t, delimiter, decode) ?? t,
    decodeBytes: null,
  };
}

/** A composite's fields may have changed since the value was written; then the text says more than we know. */
function compositeReader(type: PgType, types: PgTypes): (text: string) => Value {
  // Made with the first value: a type may be nested in itself by an array.
  let decoders: Rule['decode'][] | null = null;
  return (t) => {
    const fields = parseComposite(t);
    if (fields === null || fields.length !== type.fields.length) return t;
    decoders ??= type.fields.map((f) => applyType(f.typeOid, f.typmod, types).decode);
    const read = decoders;
    return Object.fromEntries(
      type.fields.map(({ name }, i) => [name, fields[i] === null ? null : (read[i] as Rule['decode'])(fields[i] as string)]),
    );
  };
}

/** What the catalog knows of a column beyond its type. */
export interface ColumnFacts {
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
  readonly nullable: boolean;
  /** Literal default, when it is one. */
  readonly default?: Value;
  readonly defaultSql?: string | null;
}

export function columnOf(facts: ColumnFacts, types: PgTypes): Column {
  const { form: _form, decode: _decode, decodeBytes: _bytes, ...type } = applyType(facts.typeOid, facts.typmod, types);
  return {
    name: facts.name,
    ...type,
    nullable: facts.nullable,
    ...(facts.default === undefined ? {} : { default: facts.default }),
    ...(typeof facts.defaultSql === 'string' ? { defaultSql: facts.defaultSql } : {}),
  };
}

export function textColumnOf(
  column: { readonly name: string; readonly typeOid: number; readonly typmod: number },
  types: PgTypes,
): TextColumn {
  const { form, decode, decodeBytes } = applyType(column.typeOid, column.typmod, types);
  return { name: column.name, form, decode, decodeBytes };
}

/** `isWanted`: false for columns that the configuration leaves out. */
export function textColumnsOf(
  columns: readonly { readonly name: string; readonly typeOid: number; readonly typmod: number }[],
  types: PgTypes,
  isWanted: (name: string) => boolean = () => true,
): (TextColumn | null)[] {
  return columns.map((c) => (isWanted(c.name) ? textColumnOf(c, types) : null));
}
