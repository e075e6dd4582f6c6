// What a file of Debezium deploys: a connector of Kafka Connect (JSON of its API, or properties), or Debezium Server with its sink.

import { parseProperties } from './properties-file.ts';

export interface Deployment {
  readonly kind: 'connect' | 'server';
  /** Of the connector; `null`: it has none. */
  readonly name: string | null;
  /** The connector's properties. */
  readonly connector: Readonly<Record<string, string>>;
  /** Debezium Server: `kafka`, `redis` … `null` in Kafka Connect, where it is Kafka. */
  readonly sink: string | null;
  /** The sink's properties, without `debezium.sink.<type>.`. */
  readonly sinkProperties: Readonly<Record<string, string>>;
  /** `value`, `value.schemas.enable`, `key` …, without `debezium.format.`. */
  readonly format: Readonly<Record<string, string>>;
  /** Properties that belong to neither. */
  readonly others: readonly string[];
}

/** A text that is none of them: what is wrong with it. */
export function readDeployment(text: string): Deployment | { readonly problem: string } {
  return text.trimStart().startsWith('{') || text.trimStart().startsWith('[') ? fromJson(text) : fromProperties(parseProperties(text));
}

const connect = (name: string | null, connector: Readonly<Record<string, string>>): Deployment => ({
  kind: 'connect',
  name: name ?? connector['name'] ?? null,
  connector,
  sink: null,
  sinkProperties: {},
  format: {},
  others: [],
});

function fromJson(text: string): Deployment | { problem: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { problem: `it is not JSON: ${(error as Error).message}` };
  }
  if (Array.isArray(json)) return { problem: 'it holds a list: give each connector a file of its own' };
  const top = json as Record<string, unknown>,
    { config, name } = top;
  const properties = typeof config === 'object' && config !== null && !Array.isArray(config) ? (config as Record<string, unknown>) : top;
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (typeof value === 'object') return { problem: `the property ${JSON.stringify(key)} is no text` };
    texts[key] = String(value);
  }
  if (texts['connector.class'] === undefined) return { problem: 'it has no "connector.class", so it is no connector of Kafka Connect' };
  return connect(typeof name === 'string' ? name : null, texts);
}

const SOURCE = 'debezium.source.',
  SINK = 'debezium.sink.',
  FORMAT = 'debezium.format.';

function fromProperties(all: ReadonlyMap<string, string>): Deployment | { problem: string } {
  if (all.has('connector.class')) return connect(null, Object.fromEntries(all));
  if (!all.has(`${SOURCE}connector.class`))
    return { problem: 'it has neither "connector.class" (Kafka Connect) nor "debezium.source.connector.class" (Debezium Server)' };
  const sink = all.get(`${SINK}type`) ?? null,
    ofSink = `${SINK}${sink ?? ''}.`;
  const connector: Record<string, string> = {},
    sinkProperties: Record<string, string> = {},
    format: Record<string, string> = {},
    others: string[] = [];
  for (const [key, value] of all) {
    if (key.startsWith(SOURCE)) connector[key.slice(SOURCE.length)] = value;
    else if (key.startsWith(ofSink)) sinkProperties[key.slice(ofSink.length)] = value;
    else if (key.startsWith(FORMAT)) format[key.slice(FORMAT.length)] = value;
    else if (key === 'debezium.transforms' || key.startsWith('debezium.transforms.') || key.startsWith('debezium.predicates'))
      connector[key.slice('debezium.'.length)] = value;
    else if (key !== `${SINK}type`) others.push(key);
  }
  return { kind: 'server', name: connector['name'] ?? null, connector, sink, sinkProperties, format, others };
}
