// The one list of services that tests can ask for.

import type { ServiceDefinition } from './definition.ts';
import { mariadb, mysql, mysql56, mysql57 } from './mysql.ts';
import { postgres } from './postgres.ts';

export const SERVICES: readonly ServiceDefinition[] = [postgres, mariadb, mysql, mysql57, mysql56];

export function serviceByName(name: string): ServiceDefinition {
  const service = SERVICES.find((s) => s.name === name);
  if (service === undefined) throw new TypeError(`unknown service "${name}"; known: ${SERVICES.map((s) => s.name).join(', ')}`);
  return service;
}
