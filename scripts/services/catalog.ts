// The one list of services that tests can ask for.

import type { ServiceDefinition } from './definition.ts';
import { mariadb, mysql, mysql56, mysql57 } from './mysql.ts';
import { postgresOf } from './postgres.ts';
import { MAJORS } from './postgres-install.ts';

/** `CDC_TEST_POSTGRES_VERSION=18` makes `postgres` mean `postgres@18` for whoever asks, tests included. */
const postgres = postgresOf(majorOf(process.env['CDC_TEST_POSTGRES_VERSION']));

export const SERVICES: readonly ServiceDefinition[] = [postgres, mariadb, mysql, mysql57, mysql56];

/** `postgres`, or `postgres@18` for a version of its own. */
export function serviceByName(name: string): ServiceDefinition {
  const [product = '', major] = name.split('@', 2);
  const service = SERVICES.find((s) => productOf(s) === product);
  if (service === undefined || (major !== undefined && product !== 'postgres'))
    throw new TypeError(`unknown service "${name}"; known: ${SERVICES.map(productOf).join(', ')}`);
  return major === undefined ? service : postgresOf(majorOf(major));
}

const productOf = ({ name }: ServiceDefinition): string => name.split('@', 1)[0] as string;

function majorOf(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (!MAJORS.includes(text)) throw new TypeError(`PostgreSQL "${text}" cannot be had; known: ${MAJORS.join(', ')}`);
  return text;
}
