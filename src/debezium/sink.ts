// Where Debezium sends its records → our destination. Kafka and Redis are complete; of others the address, and what is left is named.

import type { Deployment } from './deployment.ts';
import { loginOf, producer } from './producer.ts';
import type { Values } from './secrets.ts';
import { Draft, type Note } from './translation.ts';

export interface Destination {
  readonly keys: Readonly<Record<string, unknown>>;
  readonly notes: readonly Note[];
}

type Properties = Readonly<Record<string, string>>;

export function destinationOf(deployment: Deployment, values: Values): Destination {
  if (deployment.kind === 'connect') return ofConnect(deployment.connector, values);
  const { sink, sinkProperties } = deployment,
    prefix = `debezium.sink.${sink ?? ''}.`;
  const draft = new Draft(new Map());
  const make = sink !== null && Object.hasOwn(SINKS, sink) ? SINKS[sink] : undefined;
  if (make === undefined) {
    draft.refuse(
      'debezium.sink.type',
      `the sink ${JSON.stringify(sink)} has no counterpart: the pipeline prints its records`,
      'Name a destination.',
    );
    for (const name of Object.keys(sinkProperties)) draft.warn(prefix + name, 'is of the sink', 'Look at the keys of the destination.');
    return { keys: { type: 'console' }, notes: draft.notes };
  }
  const rest = { ...sinkProperties };
  // In the order of the rules, and each property once.
  const take = (name: string): string | undefined => {
    const value = rest[name];
    delete rest[name];
    return value === undefined ? undefined : values.of(prefix + name, value);
  };
  make({ take, takeAll: (start) => takeAll(rest, start), draft, prefix, values });
  for (const name of Object.keys(rest)) draft.warn(prefix + name, 'has no counterpart in the destination', 'Look at its keys.');
  return { keys: draft.keys, notes: draft.notes };
}

function takeAll(rest: Record<string, string>, start: string): Properties {
  const found = Object.entries(rest).filter(([name]) => name.startsWith(start));
  for (const [name] of found) delete rest[name];
  return Object.fromEntries(found.map(([name, value]) => [name.slice(start.length), value]));
}

interface SinkInput {
  take(name: string): string | undefined;
  takeAll(start: string): Properties;
  readonly draft: Draft;
  readonly prefix: string;
  readonly values: Values;
}

const SINKS: Readonly<Record<string, (input: SinkInput) => void>> = {
  kafka: ({ takeAll: all, draft, prefix, values }) => {
    draft.keys['type'] = 'kafka';
    kafka(all('producer.'), draft, `${prefix}producer.`, values);
  },
  redis: ({ take, draft, prefix }) => {
    draft.keys['type'] = 'redis_stream';
    const address = take('address') ?? '';
    const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
    if (host !== undefined && host !== '') draft.keys['host'] = host;
    if (port !== undefined) draft.keys['port'] = Number(port);
    setAll(draft, { username: take('user'), password: take('password'), tls: take('ssl.enabled') === 'true' ? true : undefined });
    draft.warn(
      `${prefix}address`,
      'entries of a stream have the fields key, value and headers',
      'Compare them with what the readers take.',
    );
  },
  http: ({ take, draft }) => setAll(draft, { type: 'http', url: take('url') }),
  pulsar: ({ take, draft }) => setAll(draft, { type: 'pulsar', service_url: take('client.serviceUrl') }),
  'nats-jetstream': ({ take, draft }) => {
    const subjects = take('subjects') ?? '*.*.*';
    setAll(draft, {
      type: 'nats',
      url: take('url'),
      username: take('auth.user'),
      password: take('auth.password'),
      // Debezium's names and defaults.
      subject: '{topic}',
      stream: 'DebeziumStream',
      create_stream: take('create-stream') === 'true',
      stream_defaults: { subjects: subjects.split(',').map((subject) => subject.trim()) },
    });
  },
  rabbitmq: ({ take, draft, prefix }) => {
    const port = take('connection.port'),
      exchange = take('exchange');
    if (exchange === undefined) draft.warn(`${prefix}exchange`, 'is not named: debezium is taken for it', 'Set `exchange`, or `queue`.');
    setAll(draft, {
      type: 'rabbitmq',
      host: take('connection.host'),
      port: port === undefined ? undefined : Number(port),
      username: take('connection.username'),
      password: take('connection.password'),
      vhost: take('connection.virtual.host'),
      exchange: exchange ?? 'debezium',
      routing_key: take('routingKey'),
    });
  },
};

function setAll(draft: Draft, keys: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(keys)) if (value !== undefined) draft.keys[key] = value;
}

function kafka(properties: Properties, draft: Draft, prefix: string, values: Values): void {
  const safe = Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, values.of(prefix + name, value)]));
  producer(safe, draft, prefix);
  const jaas = properties['sasl.jaas.config'];
  if (jaas === undefined) return;
  const login = loginOf(jaas);
  if (login === null) {
    draft.refuse(`${prefix}sasl.jaas.config`, 'the login is neither PLAIN nor SCRAM', 'Set `sasl_mechanism` and its keys.');
    return;
  }
  draft.keys['sasl_username'] = values.of(`${prefix}sasl.username`, login.username);
  draft.keys['sasl_password'] = values.variable(`${prefix}sasl.jaas.config`, 'KAFKA_PASSWORD');
}

const HISTORY_BROKERS = ['schema.history.internal.kafka.bootstrap.servers', 'database.history.kafka.bootstrap.servers'];

/** Kafka Connect writes to its own Kafka, which a connector's properties do not name. */
function ofConnect(connector: Properties, values: Values): Destination {
  const draft = new Draft(new Map()),
    override = 'producer.override.';
  draft.keys['type'] = 'kafka';
  const producerProperties = Object.fromEntries(
    Object.entries(connector).flatMap(([name, value]): [string, string][] =>
      name.startsWith(override) ? [[name.slice(override.length), value]] : [],
    ),
  );
  kafka(producerProperties, draft, override, values);
  if (draft.keys['bootstrap_servers'] !== undefined) return { keys: draft.keys, notes: draft.notes };
  const known = HISTORY_BROKERS.find((name) => connector[name] !== undefined);
  draft.keys['bootstrap_servers'] =
    known === undefined
      ? values.variable('bootstrap.servers', 'KAFKA_BOOTSTRAP_SERVERS', 'worker')
      : values.of(known, connector[known] as string);
  draft.warn(
    known ?? 'bootstrap.servers',
    known === undefined
      ? "is the worker's, which is not in this file"
      : "names the brokers of the history, which are taken for the worker's",
    'Look at bootstrap.servers, security.protocol and sasl.* of the worker.',
  );
  return { keys: draft.keys, notes: draft.notes };
}
