// Avro schemas as a tree of types, names resolved. https://avro.apache.org/docs/1.12.0/specification/

import { CdcError } from '../../sdk/index.ts';

/** What stands beside a type: logical types, and Kafka Connect's `connect.name`, `connect.type`, `connect.parameters`. */
export interface AvroNotes {
  readonly logicalType: string | null;
  readonly precision: number | null;
  readonly scale: number | null;
  readonly connectName: string | null;
  readonly connectType: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface AvroField {
  readonly name: string;
  /** The column that it is of: its own name unless Avro does not take that. */
  readonly column: string;
  readonly type: AvroType;
  /** JSON of the default; `undefined`: it has none. */
  readonly default: unknown;
}

interface Named {
  readonly name: string;
  readonly notes: AvroNotes;
}
export interface AvroRecord extends Named {
  readonly kind: 'record';
  readonly fields: readonly AvroField[];
}
export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'; readonly notes: AvroNotes }
  | (Named & { readonly kind: 'fixed'; readonly size: number })
  | (Named & { readonly kind: 'enum'; readonly symbols: readonly string[]; readonly default: string | null })
  | { readonly kind: 'array'; readonly items: AvroType; readonly notes: AvroNotes }
  | { readonly kind: 'map'; readonly values: AvroType; readonly notes: AvroNotes }
  | AvroRecord
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] };

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
type Primitive = (typeof PRIMITIVES)[number];
const isPrimitive = (name: string): name is Primitive => (PRIMITIVES as readonly string[]).includes(name);
const NO_NOTES: AvroNotes = { logicalType: null, precision: null, scale: null, connectName: null, connectType: null, parameters: {} };

/** Beside a field whose name is not the column's. */
export const COLUMN_NOTE = 'cdc.column';

type Json = Readonly<Record<string, unknown>>;

/** `references`: schemas whose names this one uses, those first that others need. Throws `SyntaxError`. */
export function parseAvro(text: string, references: readonly string[] = []): AvroType {
  const parser = new Parser();
  for (const reference of references) parser.parse(JSON.parse(reference) as unknown, '');
  let json: unknown;
  try {
    json = JSON.parse(text) as unknown;
  } catch {
    // A name alone is a schema too, and registries hand it out without quotes.
    json = text.trim();
  }
  return parser.parse(json, '');
}

class Parser {
  readonly #named = new Map<string, AvroType>();

  parse(json: unknown, namespace: string): AvroType {
    if (typeof json === 'string') return this.#reference(json, namespace);
    if (Array.isArray(json)) return { kind: 'union', branches: json.map((branch) => this.parse(branch, namespace)) };
    if (typeof json !== 'object' || json === null)
      throw new SyntaxError(`An Avro schema is a name, a list or an object, not ${typeof json}`);
    const schema = json as Json,
      { type } = schema;
    if (typeof type !== 'string') return this.parse(type, namespace);
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(schema, namespace);
      case 'enum': {
        const symbols = Array.isArray(schema['symbols']) ? schema['symbols'].map(String) : [];
        const name = fullName(schema, namespace);
        return this.#name({ kind: 'enum', name, symbols, default: textOf(schema['default']), notes: notesOf(schema) });
      }
      case 'fixed':
        return this.#name({ kind: 'fixed', name: fullName(schema, namespace), size: Number(schema['size']), notes: notesOf(schema) });
      case 'array':
        return { kind: 'array', items: this.parse(schema['items'], namespace), notes: notesOf(schema) };
      case 'map':
        return { kind: 'map', values: this.parse(schema['values'], namespace), notes: notesOf(schema) };
      default:
        return isPrimitive(type) ? { kind: type, notes: notesOf(schema) } : this.#reference(type, namespace);
    }
  }

  #reference(name: string, namespace: string): AvroType {
    if (isPrimitive(name)) return { kind: name, notes: NO_NOTES };
    const known = this.#named.get(name.includes('.') || namespace === '' ? name : `${namespace}.${name}`) ?? this.#named.get(name);
    if (known === undefined) throw new SyntaxError(`The Avro schema names a type "${name}" that it does not define`);
    return known;
  }

  #record(schema: Json, namespace: string): AvroType {
    const name = fullName(schema, namespace),
      fields: AvroField[] = [];
    // Known before its fields: a record may hold itself.
    const record = this.#name({ kind: 'record', name, fields, notes: notesOf(schema) });
    if (!Array.isArray(schema['fields'])) throw new SyntaxError(`The Avro record "${name}" has no fields`);
    const inner = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
    for (const field of schema['fields'] as Json[])
      fields.push({
        name: String(field['name']),
        column: textOf(field[COLUMN_NOTE]) ?? String(field['name']),
        type: this.parse(field['type'], inner),
        default: field['default'],
      });
    return record;
  }

  #name<T extends AvroType & Named>(type: T): T {
    this.#named.set(type.name, type);
    return type;
  }
}

function fullName(schema: Json, namespace: string): string {
  const name = String(schema['name'] ?? '');
  if (name === '') throw new SyntaxError('An Avro type that needs a name has none');
  if (name.includes('.')) return name;
  const own = textOf(schema['namespace']) ?? namespace;
  return own === '' ? name : `${own}.${name}`;
}

function notesOf(schema: Json): AvroNotes {
  const parameters = schema['connect.parameters'];
  return {
    logicalType: textOf(schema['logicalType']),
    precision: numberOf(schema['precision']),
    scale: numberOf(schema['scale']) ?? (schema['logicalType'] === 'decimal' ? 0 : null),
    connectName: textOf(schema['connect.name']),
    connectType: textOf(schema['connect.type']),
    parameters: typeof parameters === 'object' && parameters !== null ? (parameters as Json) : {},
  };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** The type beside null in a union of two, or the type itself; `nullable`: null may stand for it. */
export function withoutNull(type: AvroType): { readonly type: AvroType; readonly nullable: boolean } {
  if (type.kind !== 'union') return { type, nullable: type.kind === 'null' };
  const rest = type.branches.filter((branch) => branch.kind !== 'null'),
    nullable = rest.length < type.branches.length;
  return { type: rest.length === 1 ? (rest[0] as AvroType) : { kind: 'union', branches: rest }, nullable };
}

/** A schema that cannot be understood, from the registry or a file. */
export function unreadableSchema(what: string, cause: unknown, where: string): CdcError {
  return new CdcError('REGISTRY_SCHEMA_UNKNOWN', `${what} is no Avro schema: ${(cause as Error).message}`, {
    where,
    fix: 'Correct the schema.',
    cause,
  });
}
