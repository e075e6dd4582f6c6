// Properties of a Kafka producer → the connection of our `kafka` destination. https://kafka.apache.org/documentation/#producerconfigs

import { flag, handled, milliseconds, needless, type Rules, refused, text, warning } from './rules.ts';
import type { Draft } from './translation.ts';

const PEM = refused(
  'certificates are read from files in PEM, not from key stores of Java',
  'Convert it, and set `ssl_ca`, `ssl_cert` and `ssl_key`.',
);
const BATCHES = needless('batches are those of the destination: `batch_size`, `batch_bytes`, `batch_timeout`');
const MECHANISMS: ReadonlySet<string> = new Set(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']);

const RULES: Rules = {
  'bootstrap.servers': text('bootstrap_servers'),
  'client.id': text('client_id'),
  'security.protocol': (value, draft, property) => draft.set('security_protocol', value.toUpperCase(), property),
  'sasl.mechanism': (value, draft, property) => {
    if (MECHANISMS.has(value)) draft.set('sasl_mechanism', value, property);
    else draft.refuse(property, `the mechanism ${value} is not known`, `Use one of ${[...MECHANISMS].join(', ')}.`);
  },
  'sasl.jaas.config': handled,
  'compression.type': (value, draft, property) => draft.set('compression_type', value, property),
  'enable.idempotence': flag('idempotent'),
  'transactional.id': text('transactional_id'),
  'request.timeout.ms': milliseconds('request_timeout'),
  acks: warning('all replicas that are in sync confirm', 'Leave it out.', 'all'),
  'batch.size': BATCHES,
  'linger.ms': BATCHES,
  'max.request.size': BATCHES,
  'buffer.memory': BATCHES,
  'delivery.timeout.ms': needless('a write is tried again until it works; `write_timeout` bounds one try'),
  retries: needless('a write is tried again until it works'),
  'max.in.flight.requests.per.connection': needless('the order is kept'),
  'key.serializer': handled,
  'value.serializer': handled,
  'ssl.truststore.location': PEM,
  'ssl.truststore.password': handled,
  'ssl.truststore.type': handled,
  'ssl.keystore.location': PEM,
  'ssl.keystore.password': handled,
  'ssl.keystore.type': handled,
  'ssl.key.password': handled,
  'ssl.endpoint.identification.algorithm': warning('names of brokers are always checked', 'Leave it out.', 'https'),
};

/** `prefix`: what stands before the producer's own names, for messages. */
export function producer(properties: Readonly<Record<string, string>>, draft: Draft, prefix: string): void {
  for (const [name, value] of Object.entries(properties)) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
    if (rule !== undefined) rule(value, draft, prefix + name);
    else draft.warn(prefix + name, 'is no property of a producer that is known', 'Leave it out.');
  }
}

/** `…PlainLoginModule required username="u" password="p";` → both; `null`: another module. */
export function loginOf(jaas: string): { readonly username: string; readonly password: string } | null {
  const username = /\busername\s*=\s*"([^"]*)"/.exec(jaas)?.[1],
    password = /\bpassword\s*=\s*"([^"]*)"/.exec(jaas)?.[1];
  return username === undefined || password === undefined ? null : { username, password };
}
