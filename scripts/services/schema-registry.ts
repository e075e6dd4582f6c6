// A schema registry with Confluent's API as a service for tests: Apicurio, all in memory.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Install, ServiceDefinition } from './definition.ts';
import { reachableFolder } from './home.ts';
import { type ProcessId, run, startTime } from './processes.ts';

const VERSION = '2.6.13.Final';
const API = '/apis/ccompat/v7';
/** A request that is cut off would say that nothing answers. */
const ANSWER_MS = 5_000;

export const schemaRegistry: ServiceDefinition = {
  name: 'schema-registry',
  wherePossible: true,
  urlVariable: 'CDC_TEST_SCHEMA_REGISTRY_URL',
  firstPort: 18_081,
  startTimeoutMs: 180_000,
  accounts: [],
  container: null,
  installs: [install()],
  stopSignals: ['SIGTERM'],
  url: (port) => `http://127.0.0.1:${port}${API}`,
  handshake: async (url) => {
    const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok || !Array.isArray(await answer.json())) throw new Error(`no schema registry answers at ${url}`);
    return { version: null };
  },
  // Nothing is kept on disk: a stop forgets all schemas.
  prepare: () => Promise.resolve(),
  findRunning,
  command: ({ bin, folder, port }) => ({
    file: 'java',
    args: [
      '-Xmx384m',
      '-XX:+UseSerialGC',
      `-Dcdc.folder=${folder}`,
      '-Dquarkus.http.host=127.0.0.1',
      `-Dquarkus.http.port=${port}`,
      '-jar',
      join(bin, `apicurio-registry-app-${VERSION}-runner.jar`),
    ],
  }),
};

/** By Maven, so that its settings (a mirror, a proxy) apply. */
function install(): Install {
  return {
    mode: 'maven',
    async find(folder, say) {
      if (!hasProgram('mvn') || !hasProgram('java')) return null;
      const bin = join(folder, `apicurio-${VERSION}`);
      if (!existsSync(join(bin, '.ready'))) {
        say(`fetching Apicurio ${VERSION} with Maven`);
        rmSync(bin, { recursive: true, force: true });
        mkdirSync(bin, { recursive: true });
        const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy',
          artifact = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`;
        await run('mvn', ['-q', '-B', goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${bin}`], { cwd: bin, timeoutMs: 600_000 });
        await run('tar', ['-xzf', join(bin, `apicurio-registry-app-${VERSION}-all.tar.gz`), '-C', bin]);
        rmSync(join(bin, `apicurio-registry-app-${VERSION}-all.tar.gz`));
        writeFileSync(join(bin, '.ready'), '');
      }
      await installFastavro(say);
      return { mode: 'maven', bin, version: VERSION };
    },
  };
}

/** Where Python finds `fastavro`, the reader of Avro that tests read us with. */
export const pythonFolder = (): string => join(reachableFolder(false), 'python');

/** Its tests say that they are skipped where it cannot be had. */
async function installFastavro(say: (line: string) => void): Promise<void> {
  const folder = pythonFolder();
  if (!hasProgram('python3') || existsSync(join(folder, 'fastavro'))) return;
  say('installing fastavro with pip');
  await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', folder, 'fastavro']).catch((error: unknown) => say(String(error)));
}

function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((f) => f !== '' && existsSync(join(f, name)));
}

/** A server that still runs although the state file does not know it: it has our folder among its arguments. */
async function findRunning(folder: string): Promise<ProcessId | null> {
  const all = await run('ps', ['-eo', 'pid=,args=']).catch(() => '');
  const line = all.split('\n').find((l) => l.includes(`-Dcdc.folder=${folder} `));
  const pid = Number(line?.trim().split(' ', 1)[0] ?? Number.NaN),
    startedAt = Number.isNaN(pid) ? null : startTime(pid);
  return startedAt === null ? null : { pid, startedAt };
}
