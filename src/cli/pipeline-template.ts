// Writes a commented pipeline file from descriptors: required keys with values, the others commented out with their default and
// what they are for. Pure text.

import { formatDuration, parseDuration } from '../config/units.ts';
import type { TSchema } from '../sdk/config-schema.ts';
import { wrap } from './format.ts';
import { type Key, keysOf, sampleValue } from './sample-config.ts';

export interface TemplatePart {
  readonly name: string;
  readonly type: string;
  readonly title: string;
  readonly config: TSchema;
  /** Values given by the user, by key. */
  readonly values: Readonly<Record<string, unknown>>;
}

export interface Template {
  readonly name: string;
  readonly mode: 'one_time' | 'continuous' | 'cron';
  readonly source: TemplatePart;
  readonly destinations: readonly TemplatePart[];
  /** What editors read the schema from: a path or URL. */
  readonly schemaRef: string;
  /** For the comments at the top. */
  readonly file: string;
}

const COMMENT_WIDTH = 110;

/** `stringify`: a value as YAML on one line. */
export function pipelineTemplate(t: Template, stringify: (value: unknown) => string): string {
  const lines = [
    `# yaml-language-server: $schema=${t.schemaRef}`,
    `# ${t.name}: ${t.source.type} to ${t.destinations.map((d) => d.type).join(', ')}.`,
    '#',
    `#   cdc-run validate ${t.file} --connect    check it, and ask the servers`,
    `#   cdc-run plan ${t.file}                  what is guaranteed, what is created`,
    `#   cdc-run ${t.file}                       run it`,
    `name: ${stringify(t.name)}`,
    '',
    'source:',
    ...part(t.source, '  ', stringify),
    '',
    'destinations:',
    ...t.destinations.flatMap((d) => listItem(part(d, '    ', stringify))),
    '',
    'sync:',
    '  # one_time: deliver what is there and end. continuous: until stopped. cron: at the times of `schedule`.',
    `  mode: ${t.mode}`,
    ...(t.mode === 'cron' ? ['  schedule: "*/15 * * * *"', '  timezone: UTC'] : []),
    '',
    '# Where the place in the source is kept between runs, and where refused events go.',
    '# state:',
    '#   path: .cdc/state.db',
    '# error_handling:',
    '#   dead_letter_queue:',
    `#     path: .cdc/dlq/${t.name}.ndjson`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The first line of a list item that is not a comment carries the dash. */
function listItem(lines: readonly string[]): string[] {
  return lines.map((line, i) => (i === 0 ? `  - ${line.trimStart()}` : line));
}

function part({ name, type, title, config, values }: TemplatePart, indent: string, stringify: (value: unknown) => string): string[] {
  const keys = keysOf(config);
  const given = keys.filter((key) => key.required || key.name in values);
  const others = keys.filter((key) => !key.required && !(key.name in values));
  return [
    `${indent}name: ${stringify(name)}`,
    `${indent}# ${title}`,
    `${indent}type: ${stringify(type)}`,
    ...given.flatMap((key) => [...comment(key, indent), `${indent}${key.name}: ${stringify(values[key.name] ?? exampleOf(key, name))}`]),
    ...(others.length === 0 ? [] : ['', `${indent}# Optional, with defaults or examples:`]),
    ...others.flatMap((key) => [...comment(key, indent), `${indent}# ${key.name}: ${stringify(defaultOf(key) ?? exampleOf(key, name))}`]),
  ];
}

/** Secrets never stand in a file: they come from the environment. */
function exampleOf(key: Key, component: string): unknown {
  if (key.secret) return `\${${`${component}_${key.name}`.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}}`;
  return sampleValue(key.schema);
}

/** With its unit: `10s` says more than `10000`. `undefined` = none worth showing. */
function defaultOf({ schema, default: value }: Key): unknown {
  const unit = schema['x-duration'];
  if (typeof value === 'number' && (unit === 's' || unit === 'ms')) return formatDuration(parseDuration(value, unit) ?? value);
  return value ?? undefined;
}

function comment({ description }: Key, indent: string): string[] {
  if (description === '') return [];
  return wrap(description, COMMENT_WIDTH - indent.length - 2, '')
    .split('\n')
    .map((line) => `${indent}# ${line}`);
}
