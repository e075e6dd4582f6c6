// Looking into JSON Schema: which schemas may apply to a key or an item, what kind of value is wanted, what is a secret.
// Works on unions as well, by looking at all branches.

export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly if?: JsonSchema;
  readonly then?: JsonSchema;
  readonly else?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly 'x-secret'?: boolean;
  readonly 'x-duration'?: 'ms' | 's';
  readonly 'x-size'?: boolean;
  readonly 'x-cron'?: boolean;
  readonly 'x-timezone'?: boolean;
  /** What a `pattern` means, for messages. */
  readonly 'x-expected'?: string;
}

/** Is the value read further after validation, which then says what is wrong with a text or a number? */
export function hasUnit(schema: JsonSchema): boolean {
  return schema['x-duration'] !== undefined || schema['x-size'] === true;
}

/** The schema itself and every branch of its unions. */
export function branches(schema: JsonSchema): JsonSchema[] {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  if (schema.then !== undefined) inner.push(schema.then);
  if (schema.else !== undefined) inner.push(schema.else);
  return [schema, ...inner.flatMap(branches)];
}

/** Every schema that may apply to this key of an object. */
export function schemasOfKey(schema: JsonSchema, key: string): JsonSchema[] {
  return branches(schema).flatMap((branch) => {
    const found: JsonSchema[] = [];
    if (branch.properties !== undefined && Object.hasOwn(branch.properties, key)) found.push(branch.properties[key] ?? {});
    for (const [pattern, inner] of Object.entries(branch.patternProperties ?? {})) {
      if (new RegExp(pattern, 'u').test(key)) found.push(inner);
    }
    if (found.length === 0 && typeof branch.additionalProperties === 'object') found.push(branch.additionalProperties);
    return found;
  });
}

/** Every schema that may apply to this item of a list. */
export function schemasOfItem(schema: JsonSchema, index: number): JsonSchema[] {
  return branches(schema).flatMap((branch) => {
    const prefix = branch.prefixItems?.[index];
    if (prefix !== undefined) return [prefix];
    return typeof branch.items === 'object' ? [branch.items] : [];
  });
}

/** The key names that a schema knows. */
export function knownKeys(schema: JsonSchema): string[] {
  return [...new Set(branches(schema).flatMap((branch) => Object.keys(branch.properties ?? {})))];
}

/** The kinds of value that a schema takes: `string`, `integer`, `boolean` … Empty: any. */
export function wantedTypes(schema: JsonSchema): Set<string> {
  const types = new Set<string>();
  for (const branch of branches(schema)) {
    for (const type of typeof branch.type === 'string' ? [branch.type] : (branch.type ?? [])) types.add(type);
    for (const value of branch.enum ?? []) types.add(typeof value);
    if (branch.const !== undefined) types.add(typeof branch.const);
  }
  return types;
}

export function isSecret(schemas: readonly JsonSchema[]): boolean {
  return schemas.some((schema) => branches(schema).some((branch) => branch['x-secret'] === true));
}
