// A file of Debezium → a pipeline of ours, and the list of what differs. Pure: the command reads and writes.

import { translateConnector } from './connector.ts';
import type { Deployment } from './deployment.ts';
import { recordsOf } from './records.ts';
import { Values, type Variable } from './secrets.ts';
import { destinationOf } from './sink.ts';
import type { Note } from './translation.ts';

export interface Migration {
  /** The document, in the order in which it is written. */
  readonly pipeline: Readonly<Record<string, unknown>>;
  readonly notes: readonly Note[];
  /** What must be in the environment. */
  readonly variables: readonly Variable[];
  /** The slot that Debezium has read from; `null`: its database has none. */
  readonly slot: string | null;
}

/** Of the connector, but said by the destination here. */
const BY_DESTINATION = /^(transforms|predicates|key\.converter|value\.converter|producer\.override)/;

/** Destinations that write other formats than JSON. */
const WITH_FORMATS: ReadonlySet<string> = new Set(['kafka', 'pulsar', 'rabbitmq', 'redis_stream', 'nats']);

/** `fallback`: name for a connector without. A connector that cannot be translated is the note alone. */
export function migrate(deployment: Deployment, fallback: string): Migration | Note {
  const values = new Values(),
    safe = Object.fromEntries(Object.entries(deployment.connector).map(([name, value]) => [name, textOfValue(values, name, value)]));
  const source = translateConnector(safe);
  if (!('notes' in source)) return source;
  const { type, keys, envelope, name: prefix } = source;
  const records = recordsOf(deployment, envelope, prefix, (keys['tables'] ?? []) as readonly string[], values),
    destination = destinationOf(deployment, values),
    hasFormats = WITH_FORMATS.has(String(destination.keys['type']));
  const pipeline = {
    name: nameOf(deployment.name ?? prefix ?? fallback),
    source: { ...(prefix === null || !isName(prefix) ? {} : { name: prefix }), type, ...keys },
    ...(records.transformers.length === 0 ? {} : { plugins: { transformers: records.transformers } }),
    destination: { ...destination.keys, ...(hasFormats ? records.keys : {}), envelope: records.envelope },
  };
  const lost: Note[] = Object.keys(hasFormats ? {} : records.keys).map((key) => ({
    property: 'value.converter',
    level: 'error',
    message: `the destination has no \`${key}\`: records are JSON`,
    fix: 'Let the readers take JSON.',
  }));
  const others = deployment.others.map(
    (property): Note => ({
      property,
      level: 'warning',
      message: 'is of the server, not of the pipeline',
      fix: 'Look at docs/operating.md.',
    }),
  );
  const ofSource = source.notes.filter((n) => n.isOfRecords === undefined && !BY_DESTINATION.test(n.property));
  const used = JSON.stringify(pipeline);
  return {
    pipeline,
    notes: [...ofSource, ...records.notes, ...destination.notes, ...lost, ...others].map(spoken),
    variables: values.variables.filter((v) => used.includes(`\${${v.name}`)),
    slot: type === 'postgresql' ? String(keys['slot_name'] ?? '') : null,
  };
}

/** Properties that are a choice among words, or name tables, are no secrets whatever they are called. */
function textOfValue(values: Values, name: string, value: string): string {
  return BY_DESTINATION.test(name) || /\.(mode|list|type|class)$/.test(name) ? value : values.of(name, value);
}

/** Here nothing stands beside `connector_config`: the keys are in the file itself. */
const spoken = (note: Note): Note => ({ ...note, fix: note.fix.replace(' beside `connector_config`', ' of the source') });

const isName = (name: string): boolean => /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u.test(name);

function nameOf(name: string): string {
  const usable = name
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .slice(0, 100);
  return usable === '' ? 'debezium' : usable;
}
