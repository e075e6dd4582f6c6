// Markdown tables of keys, from schemas.

import type { TypeInfo } from '../../src/catalog.ts';
import { type JsonSchema, knownKeys } from '../../src/config/schema-walk.ts';

interface Row {
  readonly key: string;
  readonly type: string;
  readonly preset: string;
  readonly description: string;
}

/** The table of an object's keys; nested ones are written with dots. */
export function keyTable(schema: JsonSchema): string {
  const rows = rowsOf(schema, '');
  if (rows.length === 0) return 'No keys.';
  const lines = rows.map(({ key, type, preset, description }) => `| \`${key}\` | ${type} | ${preset} | ${description} |`);
  return ['| key | type | default | description |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

function rowsOf(schema: JsonSchema, prefix: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const key = prefix + name;
    const required = schema.required?.includes(name) === true;
    const row = { key, type: typeOf(inner), preset: required ? '**required**' : presetOf(inner), description: descriptionOf(inner) };
    return [row, ...nestedRows(inner, key)];
  });
}

/** Keys of a mapping, of the items of a list, and of the mapping in a union. */
function nestedRows(schema: JsonSchema, key: string): Row[] {
  if (schema.properties !== undefined) return rowsOf(schema, `${key}.`);
  if (schema.type === 'array' && typeof schema.items === 'object') return nestedRows(schema.items, `${key}[]`);
  return (schema.anyOf ?? []).flatMap((branch) => nestedRows(branch, key));
}

function typeOf(schema: JsonSchema): string {
  if (schema['x-duration'] !== undefined) return `duration (bare: ${schema['x-duration'] === 's' ? 'seconds' : 'milliseconds'})`;
  if (schema['x-size']) return 'size (bare: bytes)';
  if (schema['x-secret']) return 'text, secret';
  if (schema['x-cron']) return 'cron pattern';
  if (schema['x-timezone']) return 'time zone';
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  const union = schema.anyOf ?? schema.oneOf;
  if (union !== undefined) return [...new Set(union.map(typeOf))].join(' or ');
  if (schema.type === 'array')
    return typeof schema.items === 'object' && Object.keys(schema.items).length > 0 ? `list of ${typeOf(schema.items)}` : 'list';
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    integer: 'whole number',
    number: 'number',
    boolean: 'true or false',
    object: 'mapping',
    null: 'null',
  };
  return typeof schema.type === 'string' ? (names[schema.type] ?? schema.type) : 'list or mapping';
}

function presetOf({ default: preset }: JsonSchema): string {
  if (preset === undefined) return '';
  // The defaults of its keys say it better.
  if (typeof preset === 'object' && preset !== null && Object.keys(preset).length === 0) return Array.isArray(preset) ? '`[]`' : '';
  return `\`${cell(typeof preset === 'string' ? preset : JSON.stringify(preset))}\``;
}

function descriptionOf({ description = '', examples }: JsonSchema): string {
  const [example] = examples ?? [];
  const shown =
    example === undefined || typeof example === 'boolean'
      ? ''
      : ` Example: \`${typeof example === 'string' ? example : JSON.stringify(example)}\`.`;
  return cell(`${description}${shown}`);
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The Configuration section of a README: what the type itself takes. */
export function configurationTable(info: TypeInfo): string {
  const schema = info.descriptor.config as JsonSchema;
  const where = {
    source: 'Beside the keys of every [source]',
    destination: 'Beside the keys of every [destination]',
    transformer: 'In `params`; around it the keys of every [plugin]',
    middleware: 'In `params`; around it the keys of every [plugin]',
    hook: 'In `params`; around it the keys of every [plugin]',
  }[info.kind];
  const page = { source: 'sources', destination: 'destinations', transformer: 'plugins', middleware: 'plugins', hook: 'plugins' }[
    info.kind
  ];
  const up = '../../../';
  return `${where}(${up}docs/reference/${page}.md).\n\n${knownKeys(schema).length === 0 ? 'No keys of its own.' : keyTable(schema)}`;
}
