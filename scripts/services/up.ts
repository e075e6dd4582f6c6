// Makes a service answer: what the environment names, else what runs already, else Docker, else the system's programs,
// else a package of npm or Maven.

import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, type Installation, type LocalServer, type Mode, type ServiceDefinition, ServiceUnavailable } from './definition.ts';
import { composeUp, hasDocker } from './docker.ts';
import { loadState, lockFile, logFile, reachableFolder, type ServiceState, saveState } from './home.ts';
import { withLock } from './lock.ts';
import { freePort, samePort } from './ports.ts';
import { isAlive, type ProcessId, plainEnvironment, run, startDetached, stop } from './processes.ts';

export interface Up {
  readonly service: string;
  readonly mode: Mode | 'running';
  readonly version: string;
  readonly url: string;
}

type Say = (line: string) => void;

/** `only` leaves one way of starting a server; without it they are tried in order. */
export async function up(service: ServiceDefinition, only: Exclude<Mode, 'url'> | null, say: Say): Promise<Up> {
  const given = process.env[service.urlVariable];
  if (given !== undefined && given !== '') return useGiven(service, given);
  return withLock(lockFile(service.name), async () => {
    const running = await findRunning(service);
    if (running !== null) return { service: service.name, mode: 'running', version: running.version, url: running.url };
    const started = await start(service, only, say);
    return { service: service.name, mode: started.mode, version: started.version, url: started.url };
  });
}

/** A URL from the environment is used or refused, never replaced by another server. */
async function useGiven(service: ServiceDefinition, url: string): Promise<Up> {
  try {
    const { version } = await service.handshake(url);
    return { service: service.name, mode: 'url', version: version ?? 'unknown', url };
  } catch (error) {
    throw new ServiceUnavailable(`${service.urlVariable} is set, but no ${service.name} answers there: ${textOf(error)}`);
  }
}

/** What this script started before, if it answers. */
export async function findRunning(service: ServiceDefinition): Promise<ServiceState | null> {
  const state = loadState(service.name);
  if (state === null || state.stopped || (state.process !== null && !isAlive(state.process))) return null;
  try {
    await service.handshake(state.url);
    return state;
  } catch {
    return null;
  }
}

async function start(service: ServiceDefinition, only: Exclude<Mode, 'url'> | null, say: Say): Promise<ServiceState> {
  const reasons: string[] = [];
  const attempt = async (mode: Mode, work: () => Promise<ServiceState | null>): Promise<ServiceState | null> => {
    if (only !== null && only !== mode) return null;
    try {
      const state = await work();
      if (state === null) reasons.push(`${mode}: not available here`);
      return state;
    } catch (error) {
      reasons.push(`${mode}: ${textOf(error)}`);
      return null;
    }
  };
  const password = loadState(service.name)?.password ?? randomBytes(12).toString('hex');
  let state = await attempt('docker', async () =>
    service.container !== null && (await hasDocker()) ? startContainer(service, password) : null,
  );
  for (const install of service.installs) state ??= await attempt(install.mode, () => startInstalled(service, install, password, say));
  if (state === null) throw new ServiceUnavailable(`${service.name} cannot be had on this machine\n  ${reasons.join('\n  ')}`);
  return state;
}

async function startContainer(service: ServiceDefinition, password: string): Promise<ServiceState> {
  const port = await freePort(service.firstPort, service.ports);
  const url = service.url(port, password);
  const state: ServiceState = { mode: 'docker', version: 'unknown', url, port, password, folder: null, process: null, stopped: false };
  saveState(service.name, state);
  await composeUp(service, port, password);
  await waitUntilReady(service, url, null);
  return state;
}

async function startInstalled(
  service: ServiceDefinition,
  install: ServiceDefinition['installs'][number],
  password: string,
  say: Say,
): Promise<ServiceState | null> {
  const account = await accountFor(service);
  const place = reachableFolder(account !== null);
  const installation = await install.find(place, say);
  if (installation === null) return null;
  const folder = join(place, service.name);
  await stopLeftOver(service, folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (account !== null) chownSync(folder, account.uid, account.gid);
  // Somebody may take the port between the look and the start, or a killed server's children still hold its memory.
  for (let tries = 1; ; tries++) {
    const before = tries === 1 ? (loadState(service.name)?.port ?? null) : null,
      port = await samePort(before, service.firstPort, service.ports);
    try {
      return await startServer(service, installation, { bin: installation.bin, folder, port, password, account });
    } catch (error) {
      if (tries === 3) throw error;
      await sleep(500);
    }
  }
}

async function stopLeftOver(service: ServiceDefinition, folder: string): Promise<void> {
  const leftOver = existsSync(folder) ? await service.findRunning(folder) : null;
  if (leftOver !== null) await stop(leftOver, service.stopSignals);
}

async function startServer(service: ServiceDefinition, installation: Installation, server: LocalServer): Promise<ServiceState> {
  const { folder, port, password } = server;
  const state = { mode: installation.mode, version: installation.version, url: service.url(port, password), port, password, folder };
  saveState(service.name, { ...state, process: null, stopped: true });
  await service.prepare(server, installation.version);
  const { file, args } = service.command(server);
  const child = startDetached(file, args, logFile(service.name), { account: server.account, cwd: folder, env: plainEnvironment() });
  const running: ServiceState = { ...state, process: child, stopped: false };
  saveState(service.name, running);
  await waitUntilReady(service, state.url, child);
  return running;
}

async function waitUntilReady(service: ServiceDefinition, url: string, server: ProcessId | null): Promise<void> {
  let last: unknown = null;
  for (let waited = 0; waited < service.startTimeoutMs; waited += 50) {
    try {
      await service.handshake(url);
      return;
    } catch (error) {
      last = error;
    }
    if (server !== null && !isAlive(server)) throw new Error(`the server ended at once; the end of its log:\n${endOfLog(service.name)}`);
    await sleep(50);
  }
  if (server !== null) await stop(server, service.stopSignals);
  throw new Error(`no answer within ${service.startTimeoutMs / 1000} s: ${textOf(last)}`);
}

/** Root runs a server that refuses root as somebody else. */
export async function accountFor(service: ServiceDefinition): Promise<Account | null> {
  if (process.getuid?.() !== 0 || service.accounts.length === 0) return null;
  for (const name of service.accounts) {
    const ids = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]).catch(() => null);
    if (ids !== null) return { uid: Number(ids[0]), gid: Number(ids[1]) };
  }
  throw new Error(`it does not run as root, and none of the accounts ${service.accounts.join(', ')} exists`);
}

function endOfLog(name: string): string {
  return existsSync(logFile(name)) ? readFileSync(logFile(name), 'utf8').trim().split('\n').slice(-10).join('\n') : '(empty)';
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
