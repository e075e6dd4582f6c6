// For tests: the URL of a service that can be used right now.

import { serviceByName } from './catalog.ts';
import { findRunning } from './up.ts';

/** From the environment as it is, else of the running server that `services up` started; `null` when there is neither. */
export async function serviceUrl(name: string): Promise<string | null> {
  const service = serviceByName(name);
  const given = process.env[service.urlVariable];
  if (given !== undefined && given !== '') return given;
  return (await findRunning(service))?.url ?? null;
}
