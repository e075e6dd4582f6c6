// RabbitMQ's own load tool, fetched once by Maven: a reader and a writer that are not ours.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { reachableFolder } from '../../scripts/services/home.ts';

const run = promisify(execFile);
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>cdc-run</groupId><artifactId>perf-test</artifactId><version>1</version>
<dependencies><dependency><groupId>com.rabbitmq</groupId><artifactId>perf-test</artifactId><version>2.22.1</version></dependency></dependencies></project>
`;

/** Folder of its jars; `null`: there is no Java or Maven here. */
async function jars(): Promise<string | null> {
  const home = join(reachableFolder(false), 'perf-test'),
    libs = join(home, 'libs');
  if (existsSync(join(home, '.ready'))) return libs;
  for (const program of ['java', 'mvn']) if (!(await run(program, ['-version']).catch(() => null))) return null;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'pom.xml'), POM);
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
  await run('mvn', ['-q', '-B', goal, `-DoutputDirectory=${libs}`], { cwd: home, timeout: 300_000 });
  writeFileSync(join(home, '.ready'), '');
  return libs;
}

/** Runs it on a queue that is there, and returns what it says; `null` where it cannot be had. */
export async function perfTest(url: string, queue: string, ...args: readonly string[]): Promise<string | null> {
  const libs = await jars();
  if (libs === null) return null;
  const common = ['-cp', join(libs, '*'), 'com.rabbitmq.perf.PerfTest', '-h', url, '-u', queue, '-p'];
  return (await run('java', [...common, ...args], { timeout: 90_000 })).stdout;
}
