// The one list of services that tests can ask for.

import type { ServiceDefinition } from './definition.ts';
import { postgres } from './postgres.ts';

export const SERVICES: readonly ServiceDefinition[] = [postgres];

export function serviceByName(name: string): ServiceDefinition {
  const service = SERVICES.find((s) => s.name === name);
  if (service === undefined) throw new TypeError(`unknown service "${name}"; known: ${SERVICES.map((s) => s.name).join(', ')}`);
  return service;
}
