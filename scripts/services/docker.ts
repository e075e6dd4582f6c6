// Services in containers: compose.yaml at the root, in a project of its own per checkout.

import { createHash } from 'node:crypto';
import type { ServiceDefinition } from './definition.ts';
import { ROOT } from './home.ts';
import { run } from './processes.ts';

/** Two checkouts on one machine do not share containers. */
const PROJECT = `cdc-run-${createHash('sha256').update(ROOT).digest('hex').slice(0, 8)}`;

/** A service of a chosen version has a project of its own, so that it runs beside the others. */
const projectOf = ({ name, container }: ServiceDefinition): string =>
  name === container ? PROJECT : `${PROJECT}-${name.replaceAll('@', '-')}`;

/** A daemon that does not answer within this is as good as none. */
const DAEMON_TIMEOUT_MS = 5_000;

/** Does a daemon answer, and is Compose there? */
export async function hasDocker(): Promise<boolean> {
  try {
    await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: DAEMON_TIMEOUT_MS });
    await run('docker', ['compose', 'version'], { timeoutMs: DAEMON_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}

export async function composeUp(service: ServiceDefinition, port: number, password: string): Promise<void> {
  await compose(service, port, password, ['up', '--detach', '--wait', containerOf(service)]);
}

/** Stops the container; `purge` removes it with its data. */
export async function composeDown(service: ServiceDefinition, port: number, password: string, purge: boolean): Promise<void> {
  const args = purge ? ['rm', '--stop', '--force', '--volumes'] : ['stop'];
  await compose(service, port, password, [...args, containerOf(service)]);
}

async function compose(service: ServiceDefinition, port: number, password: string, args: readonly string[]): Promise<void> {
  const version = service.containerVersion;
  const env = {
    ...process.env,
    CDC_SERVICE_PORT: String(port),
    CDC_SERVICE_PASSWORD: password,
    ...(version !== undefined && { CDC_SERVICE_VERSION: version }),
  };
  await run('docker', ['compose', '--project-name', projectOf(service), '--project-directory', ROOT, ...args], { cwd: ROOT, env });
}

function containerOf({ name, container }: ServiceDefinition): string {
  if (container === null) throw new Error(`${name} has no container`);
  return container;
}
