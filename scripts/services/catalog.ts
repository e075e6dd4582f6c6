// The one list of services that tests can ask for.

import type { ServiceDefinition } from './definition.ts';
import { postgresOf } from './postgres.ts';
import { MAJORS } from './postgres-install.ts';

/** `CDC_TEST_POSTGRES_VERSION=18` makes `postgres` mean `postgres@18` for whoever asks, tests included. */
export const SERVICES: readonly ServiceDefinition[] = [postgresOf(majorOf(process.env['CDC_TEST_POSTGRES_VERSION']))];

/** `postgres`, or `postgres@18` for a version of its own. */
export function serviceByName(name: string): ServiceDefinition {
  const [product, major] = name.split('@', 2);
  const service = SERVICES.find((s) => s.container.service === product);
  if (service === undefined)
    throw new TypeError(`unknown service "${name}"; known: ${SERVICES.map((s) => s.container.service).join(', ')}`);
  return major === undefined ? service : postgresOf(majorOf(major));
}

function majorOf(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (!MAJORS.includes(text)) throw new TypeError(`PostgreSQL "${text}" cannot be had; known: ${MAJORS.join(', ')}`);
  return text;
}
