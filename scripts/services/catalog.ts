// The one list of services that tests can ask for.

import type { ServiceDefinition } from './definition.ts';
import { kafka, kafka4 } from './kafka.ts';
import { mosquitto } from './mosquitto.ts';
import { mariadb, mariadb114, mysql, mysql56, mysql57 } from './mysql.ts';
import { nats, nats29 } from './nats.ts';
import { postgresOf } from './postgres.ts';
import { MAJORS } from './postgres-install.ts';
import { rabbitmq } from './rabbitmq.ts';
import { redis } from './redis.ts';
import { schemaRegistry } from './schema-registry.ts';

/** `CDC_TEST_POSTGRES_VERSION=18` makes `postgres` mean `postgres@18` for whoever asks, tests included. */
export const SERVICES: readonly ServiceDefinition[] = [
  postgresOf(majorOf(process.env['CDC_TEST_POSTGRES_VERSION'])),
  mariadb,
  mysql,
  mariadb114,
  mysql57,
  mysql56,
  redis,
  rabbitmq,
  mosquitto,
  kafka,
  kafka4,
  schemaRegistry,
  nats,
  nats29,
];

/** `postgres`, or `postgres@18` and `kafka@4` for a version of its own. */
export function serviceByName(name: string): ServiceDefinition {
  const [product = '', major] = name.split('@', 2);
  if (major !== undefined && product === 'postgres') return postgresOf(majorOf(major));
  const exact = SERVICES.find((s) => s.name === name);
  if (exact !== undefined) return exact;
  const service = SERVICES.find((s) => s.name.split('@', 1)[0] === product);
  if (service === undefined || major !== undefined)
    throw new TypeError(`unknown service "${name}"; known: ${SERVICES.map((s) => s.name).join(', ')}`);
  return service;
}

function majorOf(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (!MAJORS.includes(text)) throw new TypeError(`PostgreSQL "${text}" cannot be had; known: ${MAJORS.join(', ')}`);
  return text;
}
